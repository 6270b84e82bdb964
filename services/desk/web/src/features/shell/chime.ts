let context: AudioContext | null = null;
let last = 0;

const NOTES = { message: [659.25, 880], waiting: [523.25] } as const;

/** A soft chime, made on the spot. At most one a second, however many messages come. */
export function chime(kind: keyof typeof NOTES): void {
  const now = Date.now();
  if (now - last < 1000) return;
  last = now;
  try {
    context ??= new AudioContext();
    // A browser lets a page sound only after the agent has touched it; before that this stays suspended and silent.
    void context.resume();
    NOTES[kind].forEach((frequency, index) => {
      tone(context as AudioContext, frequency, index * 0.13);
    });
  } catch {
    // No audio device.
  }
}

function tone(audio: AudioContext, frequency: number, delay: number): void {
  const start = audio.currentTime + delay;
  const oscillator = audio.createOscillator();
  const gain = audio.createGain();
  oscillator.type = 'sine';
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0.0001, start);
  gain.gain.exponentialRampToValueAtTime(0.14, start + 0.015);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.5);
  oscillator.connect(gain).connect(audio.destination);
  oscillator.start(start);
  oscillator.stop(start + 0.55);
}
