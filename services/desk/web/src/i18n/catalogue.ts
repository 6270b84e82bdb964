import type { en } from './en';

/** A key of the catalogues. */
export type Key = keyof typeof en;

/** All strings of the desk in one language. */
export type Catalogue = Readonly<Record<Key, string>>;
