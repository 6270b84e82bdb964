import { create } from 'zustand';
import { reduce } from './reduce';
import { type Action, type DeskState, initialState } from './state';

/** The desk's state. Components read slices of it; only {@link dispatch} changes it. */
export const useDesk = create<DeskState>(() => initialState());

export function dispatch(action: Action): void {
  useDesk.setState((state) => reduce(state, action), true);
}

export function deskState(): DeskState {
  return useDesk.getState();
}
