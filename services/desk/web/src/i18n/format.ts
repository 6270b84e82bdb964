import type { Language } from '@/api/types';
import type { Key } from './catalogue';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Words = (key: Key, values?: Record<string, string | number>) => string;

/** Dates, times, numbers and durations in one language, by Intl. */
export class Formats {
  private readonly clock: Intl.DateTimeFormat;
  private readonly day: Intl.DateTimeFormat;
  private readonly dayYear: Intl.DateTimeFormat;
  private readonly short: Intl.DateTimeFormat;
  private readonly long: Intl.DateTimeFormat;
  private readonly numbers: Intl.NumberFormat;
  private readonly percents: Intl.NumberFormat;

  constructor(
    readonly language: Language,
    private readonly words: Words,
  ) {
    this.clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' });
    this.day = new Intl.DateTimeFormat(language, { weekday: 'long', day: 'numeric', month: 'long' });
    this.dayYear = new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year: 'numeric' });
    this.short = new Intl.DateTimeFormat(language, { day: '2-digit', month: '2-digit' });
    this.long = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
    this.numbers = new Intl.NumberFormat(language);
    this.percents = new Intl.NumberFormat(language, { style: 'percent' });
  }

  time(at: number): string {
    return this.clock.format(at);
  }

  dateTime(at: number): string {
    return this.long.format(at);
  }

  /** The clock today, else day and month too. */
  brief(at: number, now: number): string {
    return sameDay(at, now) ? this.time(at) : `${this.short.format(at)} ${this.time(at)}`;
  }

  /** A separator between days. */
  dayName(at: number, now: number): string {
    if (sameDay(at, now)) return this.words('chat.today');
    if (sameDay(at, now - DAY)) return this.words('chat.yesterday');
    return sameYear(at, now) ? this.day.format(at) : this.dayYear.format(at);
  }

  number(value: number): string {
    return this.numbers.format(value);
  }

  percent(share: number): string {
    return this.percents.format(share);
  }

  coordinate(value: number): string {
    return value.toFixed(6);
  }

  /** `2 d 3 h`, `3 h 12 min`, `12 min`; below a minute, seconds when `exact`. */
  duration(ms: number, exact = false): string {
    const left = Math.max(0, ms);
    const days = Math.floor(left / DAY);
    const hours = Math.floor((left % DAY) / HOUR);
    const minutes = Math.floor((left % HOUR) / MINUTE);
    const of = (key: Key, count: number) => this.words(key, { count });
    if (days > 0) return hours > 0 ? `${of('time.days', days)} ${of('time.hours', hours)}` : of('time.days', days);
    if (hours > 0)
      return minutes > 0 ? `${of('time.hours', hours)} ${of('time.minutes', minutes)}` : of('time.hours', hours);
    if (minutes > 0 || !exact) return minutes > 0 ? of('time.minutes', minutes) : this.words('time.now');
    return `${Math.floor(left / 1000)} s`;
  }

  /** `1:05` */
  playTime(seconds: number): string {
    const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  }

  bytes(size: number): string {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;
    let value = size;
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit += 1;
    }
    const options = {
      style: 'unit',
      unit: units[unit],
      // The short form of a byte has no plural in English: 9 byte.
      unitDisplay: unit === 0 ? 'long' : 'short',
      maximumFractionDigits: value < 10 ? 1 : 0,
    };
    return new Intl.NumberFormat(this.language, options as Intl.NumberFormatOptions).format(value);
  }
}

export function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

function sameYear(a: number, b: number): boolean {
  return new Date(a).getFullYear() === new Date(b).getFullYear();
}
