// The live view: rows come over one event stream, ready made by the server, and are put in a few times a second.

const mostRows = 300;
const mostHeld = 1000;

export function startLive() {
  const bar = document.querySelector('[data-live]');
  const table = document.querySelector('#live tbody');
  const state = document.getElementById('state');
  const rate = document.getElementById('rate');
  const waiting = document.getElementById('waiting');
  const droppedNote = document.getElementById('dropped');
  const pause = document.getElementById('pause');
  if (!(bar instanceof HTMLElement) || table === null) return;

  let paused = false;
  let dropped = 0;
  /** Rows that came while paused; a later state of a record replaces the earlier one. */
  const held = new Map();
  const seen = [];

  const say = (text, kind) => {
    state.textContent = text;
    state.className = `state ${kind}`;
  };

  const rowOf = (markup) => {
    const template = document.createElement('template');
    // The server escapes every value in it, and the page's policy runs no script that is not a file of the console.
    template.innerHTML = markup;
    return template.content.querySelector('tr');
  };

  const put = ({ id, html }) => {
    const row = rowOf(html);
    if (row === null) return;
    const old = table.querySelector(`[data-record="${CSS.escape(id)}"]`);
    if (old !== null) {
      // Whoever stands on the row with the keyboard stays there.
      const focused = old.contains(document.activeElement);
      old.replaceWith(row);
      if (focused) row.querySelector('a.row')?.focus();
      return;
    }
    row.classList.add('fresh');
    table.prepend(row);
    waiting.hidden = true;
    while (table.rows.length > mostRows) table.deleteRow(-1);
  };

  const connect = () => {
    const source = new EventSource(bar.dataset.live);
    source.addEventListener('open', () => say(paused ? 'paused' : 'live', paused ? 'held' : 'on'));
    source.addEventListener('error', () => say('connection lost, trying again', 'off'));
    source.addEventListener('record', (event) => {
      const record = JSON.parse(event.data);
      seen.push(performance.now());
      if (!paused) return put(record);
      held.set(record.id, record);
      if (held.size > mostHeld) {
        held.delete(held.keys().next().value);
        dropped += 1;
      }
    });
    source.addEventListener('dropped', (event) => {
      dropped += JSON.parse(event.data).count;
      droppedNote.textContent = `${dropped.toLocaleString('en-US')} not shown: they came too fast. All are in the records.`;
    });
  };

  const toggle = () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Resume' : 'Pause';
    say(paused ? 'paused' : 'live', paused ? 'held' : 'on');
    if (paused) return;
    for (const record of held.values()) put(record);
    held.clear();
  };
  pause.addEventListener('click', toggle);
  document.getElementById('clear').addEventListener('click', () => {
    table.replaceChildren();
    held.clear();
    waiting.hidden = false;
  });
  document.addEventListener('keydown', (event) => {
    const typing = event.target instanceof HTMLElement && event.target.closest('input, select, textarea, dialog');
    if (event.key === 'p' && !typing && !event.ctrlKey && !event.metaKey) toggle();
  });
  setInterval(() => {
    const now = performance.now();
    while (seen.length > 0 && now - seen[0] > 5000) seen.shift();
    const perSecond = seen.length / 5;
    rate.textContent =
      perSecond === 0 ? '' : `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second`;
    if (paused && held.size > 0) state.textContent = `paused, ${held.size} waiting`;
  }, 1000);
  connect();
}
