import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import classes from './empty.module.css';

interface Props {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
}

/** What a place without content says. */
export function Empty({ icon: Icon, title, children }: Props) {
  return (
    <div className={classes.empty}>
      <span className={classes.icon}>
        <Icon size={26} strokeWidth={1.6} aria-hidden />
      </span>
      <p className={classes.title}>{title}</p>
      {children && <div className={classes.hint}>{children}</div>}
    </div>
  );
}
