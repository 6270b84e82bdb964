import { useEffect } from 'react';
import { useDesk } from '@/store/desk';
import { forgetParked, hearParked, loadParked } from '@/store/parked';
import { onChanges } from '@/store/session';

/** Keeps the parked messages as they are while a supervisor is at the desk: the navigation shows their count. */
export function useParkedBoard(supervises: boolean, open: string | null): void {
  const connection = useDesk((state) => state.connection);
  useEffect(() => {
    if (supervises) return forgetParked;
    return undefined;
  }, [supervises]);
  useEffect(() => {
    // What happened while the connection was away is read, not replayed.
    if (supervises && connection === 'live') void loadParked();
  }, [supervises, connection]);
  useEffect(() => (supervises ? onChanges((changes) => hearParked(changes, open)) : undefined), [supervises, open]);
}
