import { useSyncExternalStore } from 'react';

/** One clock for all that ticks on the page, by step: a hundred waiting times cost one timer. */
class Ticker {
  private now = Date.now();
  private timer: number | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly step: number) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    this.timer ??= window.setInterval(() => this.tick(), this.step);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0 || this.timer === null) return;
      window.clearInterval(this.timer);
      this.timer = null;
    };
  };

  readonly read = () => this.now;

  private tick(): void {
    this.now = Date.now();
    for (const listener of this.listeners) listener();
  }
}

const second = new Ticker(1000);
const slow = new Ticker(15_000);

/** The time, every second. */
export function useSecond(): number {
  return useSyncExternalStore(second.subscribe, second.read);
}

/** The time, every fifteen seconds: enough for minutes and days. */
export function useMinute(): number {
  return useSyncExternalStore(slow.subscribe, slow.read);
}
