// Hours of a role: "Mon-Fri 07:00-19:00 Europe/Berlin", several windows divided by semicolons. Pure: the time is a parameter.

export interface Hours {
  /** As written in the file. */
  readonly text: string;
  readonly windows: readonly HoursWindow[];
}

export interface HoursWindow {
  /** Days on which the window opens, 0 is Monday. */
  readonly days: readonly number[];
  /** Minutes after midnight. A window whose end is not after its start closes on the next day. */
  readonly from: number;
  readonly to: number;
  /** IANA name of the time zone. */
  readonly zone: string;
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const minutesOfDay = 24 * 60;

/** Parses hours; a string says what was expected instead. */
export function parseHours(text: string): Hours | string {
  const windows: HoursWindow[] = [];
  for (const part of text.split(';')) {
    const parsed = parseWindows(part.trim());
    if (typeof parsed === 'string') return parsed;
    windows.push(...parsed);
  }
  return { text, windows };
}

function parseWindows(text: string): readonly HoursWindow[] | string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const timeWord = words.findIndex((word) => /\d:\d/.test(word));
  if (timeWord < 0) return 'expected hours such as "Mon-Fri 07:00-19:00 Europe/Berlin"';
  const days = timeWord === 0 ? [0, 1, 2, 3, 4, 5, 6] : parseDays(words.slice(0, timeWord).join(''));
  if (days === undefined) return 'expected days such as Mon-Fri or Sat,Sun before the time';
  const zone = words[timeWord + 1] ?? 'UTC';
  if (words.length > timeWord + 2) return 'expected nothing after the time zone; divide several windows by ";"';
  if (!isZone(zone)) return `expected a time zone such as Europe/Berlin or UTC, not "${zone}"`;
  const windows: HoursWindow[] = [];
  for (const span of (words[timeWord] ?? '').split(',')) {
    const times = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(span);
    if (times === null) return `expected a time span such as 07:00-19:00, not "${span}"`;
    const from = minutes(times[1], times[2]);
    const to = minutes(times[3], times[4]);
    if (from === undefined || to === undefined || from === minutesOfDay) {
      return `expected times from 00:00 to 24:00, not "${span}"`;
    }
    if (from === to) return `expected a time span that is not empty, not "${span}"; the whole day is 00:00-24:00`;
    windows.push({ days, from, to, zone });
  }
  return windows;
}

function parseDays(text: string): readonly number[] | undefined {
  const lower = text.toLowerCase();
  if (lower === 'daily') return [0, 1, 2, 3, 4, 5, 6];
  const days = new Set<number>();
  for (const part of lower.split(',')) {
    const [first, last, ...rest] = part.split('-');
    const from = day(first);
    const to = last === undefined ? from : day(last);
    if (from === undefined || to === undefined || rest.length > 0) return undefined;
    // Fri-Mon runs over the end of the week.
    for (let at = from; ; at = (at + 1) % 7) {
      days.add(at);
      if (at === to) break;
    }
  }
  return [...days].sort();
}

function day(name: string | undefined): number | undefined {
  if (name === undefined || !/^[a-z]{3,9}$/.test(name)) return undefined;
  const full = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
  const at = dayNames.indexOf(name) >= 0 ? dayNames.indexOf(name) : full.indexOf(name);
  return at < 0 ? undefined : at;
}

function minutes(hours: string | undefined, rest: string | undefined): number | undefined {
  const total = Number(hours) * 60 + Number(rest);
  return Number(rest) < 60 && total <= minutesOfDay ? total : undefined;
}

function isZone(zone: string): boolean {
  try {
    formatter(zone);
    return true;
  } catch {
    return false;
  }
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making a formatter costs far more than using it; the zones are those of the file, so the map stays small. */
function formatter(zone: string): Intl.DateTimeFormat {
  const known = formatters.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formatters.set(zone, made);
  return made;
}

/** Whether `now` is inside one of the windows, by the wall clock of each window's zone. */
export function isWithin(hours: Hours, now: Date): boolean {
  return hours.windows.some((window) => {
    const { day: today, minute } = wallClock(window.zone, now);
    if (window.to > window.from) return window.days.includes(today) && minute >= window.from && minute < window.to;
    const yesterday = (today + 6) % 7;
    return (
      (window.days.includes(today) && minute >= window.from) || (window.days.includes(yesterday) && minute < window.to)
    );
  });
}

function wallClock(zone: string, now: Date): { readonly day: number; readonly minute: number } {
  let weekday = 0;
  let minute = 0;
  for (const part of formatter(zone).formatToParts(now)) {
    if (part.type === 'weekday') weekday = dayNames.indexOf(part.value.toLowerCase());
    else if (part.type === 'hour') minute += Number(part.value) * 60;
    else if (part.type === 'minute') minute += Number(part.value);
  }
  return { day: weekday, minute };
}
