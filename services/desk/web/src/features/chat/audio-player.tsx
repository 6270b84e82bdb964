import { ActionIcon, Slider } from '@mantine/core';
import { Pause, Play } from 'lucide-react';
import { useRef, useState } from 'react';
import { useWords } from '@/i18n';
import classes from './content.module.css';

const SPEEDS = [1, 1.5, 2];
/** Only one voice speaks at a time. */
let speaking: HTMLAudioElement | null = null;

export function AudioPlayer({ source, fail }: { source: string; fail: () => void }) {
  const { t, format } = useWords();
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(0);
  const [speed, setSpeed] = useState(1);

  const toggle = () => {
    const player = audio.current;
    if (!player) return;
    if (!player.paused) {
      player.pause();
      return;
    }
    if (speaking !== player) speaking?.pause();
    speaking = player;
    player.playbackRate = speed;
    void player.play().catch(fail);
  };
  const faster = () => {
    const next = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length] ?? 1;
    setSpeed(next);
    if (audio.current) audio.current.playbackRate = next;
  };
  const seek = (to: number) => {
    if (audio.current) audio.current.currentTime = to;
    setAt(to);
  };

  return (
    <div className={classes.audio} data-testid="audio">
      {/* biome-ignore lint/a11y/useMediaCaption: a voice note has no caption track */}
      <audio
        ref={audio}
        src={source}
        preload="metadata"
        onError={fail}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setAt(0)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onDurationChange={({ currentTarget: { duration } }) => setLength(Number.isFinite(duration) ? duration : 0)}
      />
      <ActionIcon
        radius="xl"
        size={36}
        variant="filled"
        onClick={toggle}
        aria-label={t(playing ? 'media.pause' : 'media.play')}
      >
        {playing ? <Pause size={17} aria-hidden /> : <Play size={17} aria-hidden />}
      </ActionIcon>
      <Slider
        className={classes.seek}
        size="xs"
        min={0}
        max={Math.max(length, 0.1)}
        step={0.1}
        value={at}
        onChange={seek}
        label={null}
        thumbProps={{ 'aria-label': t('media.seek'), 'aria-valuetext': format.playTime(at) }}
      />
      <span className={`${classes.clock} numbers`}>{format.playTime(at > 0 || playing ? at : length)}</span>
      <button
        type="button"
        className={classes.speed}
        onClick={faster}
        aria-label={t('media.speed', { speed: `${speed}×` })}
      >
        {speed}×
      </button>
    </div>
  );
}
