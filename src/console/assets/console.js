// What every page of the console does beyond its markup: keys, ages that keep going, and the scripts of single views.
import { startRefresh } from './approvals.js';
import { startLineage } from './lineage.js';
import { startLive } from './live.js';

const body = document.body;

/** Links that rows are opened by, in their order on the page. */
const rows = () => [...document.querySelectorAll('a.row')];

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement?.closest('tr')?.querySelector('a.row'));
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

const help = document.getElementById('help');
let going = 0;

document.addEventListener('keydown', (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (target instanceof HTMLElement && target.closest('input, select, textarea, dialog')) {
    if (event.key === 'Escape') target.blur();
    return;
  }
  // g, then the letter of a view, within a second and a half.
  if (going > event.timeStamp) {
    going = 0;
    const link = [...document.querySelectorAll('[data-key]')].find((each) => each.dataset.key === event.key);
    if (link !== undefined) {
      event.preventDefault();
      link.click();
      return;
    }
  }
  const act = {
    j: () => move(1),
    k: () => move(-1),
    g: () => {
      going = event.timeStamp + 1500;
    },
    '/': () => document.querySelector('[data-filter] input')?.focus(),
    n: () => document.querySelector('a[rel=next]')?.click(),
    '?': () => help?.showModal(),
  }[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
});

/** As the server writes ages. */
function elapsed(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

function remaining(ms) {
  if (ms <= 0) return 'over';
  const seconds = Math.ceil(ms / 1000);
  return seconds < 3600 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}` : elapsed(ms);
}

function tick() {
  for (const each of document.querySelectorAll('time[data-ago]')) {
    each.textContent = elapsed(Date.now() - Date.parse(each.dateTime));
  }
  for (const each of document.querySelectorAll('time[data-until]')) {
    each.textContent = remaining(Date.parse(each.dateTime) - Date.now());
  }
}
setInterval(tick, 1000);

// Empty fields stay out of the URL, so that it can be read and shared.
for (const form of document.querySelectorAll('form[data-filter]')) {
  form.addEventListener('formdata', (event) => {
    for (const [name, value] of [...event.formData]) if (value === '') event.formData.delete(name);
  });
}

if (body.dataset.page === 'live') startLive();
startRefresh();
startLineage();
