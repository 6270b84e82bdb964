import { Select, TextInput } from '@mantine/core';
import { Search } from 'lucide-react';
import { type KeyboardEvent, useEffect, useId, useMemo, useState } from 'react';
import type { Template, TemplateCategory } from '@/api/types';
import { useWords } from '@/i18n';
import { folded } from '@/store/select';
import { titleOf } from './fill';
import classes from './templates.module.css';

interface Props {
  items: Template[];
  picked: Template | null;
  /** Shows it beside the list. */
  pick: (template: Template | null) => void;
  /** Goes on to its values. */
  choose: (template: Template) => void;
}

const CATEGORIES: TemplateCategory[] = ['utility', 'marketing', 'authentication', 'other'];

/** `pt_BR` in the words of the agent's language. */
export function languageName(code: string, locale: string): string {
  try {
    return new Intl.DisplayNames([locale], { type: 'language' }).of(code.replace('_', '-')) ?? code;
  } catch {
    return code;
  }
}

const primary = (code: string) => code.split(/[-_]/)[0]?.toLowerCase();

/** The templates by name, those in the agent's own language first. The search keeps the focus; arrows walk the list. */
export function TemplatesList({ items, picked, pick, choose }: Props) {
  const { t, language } = useWords();
  const id = useId();
  const [search, setSearch] = useState('');
  const [spoken, setSpoken] = useState<string | null>(null);
  const [category, setCategory] = useState<string | null>(null);

  const shown = useMemo(() => {
    const needle = folded(search.trim());
    const own = (one: Template) => (primary(one.language) === primary(language) ? 0 : 1);
    return items
      .filter(
        (one) =>
          (spoken === null || one.language === spoken) &&
          (category === null || one.category === category) &&
          (needle === '' || folded(`${titleOf(one)} ${one.name} ${one.header ?? ''} ${one.body}`).includes(needle)),
      )
      .sort((a, b) => own(a) - own(b));
  }, [items, search, spoken, category, language]);
  const languages = [...new Set(items.map((one) => one.language))];
  const categories = CATEGORIES.filter((one) => items.some((item) => item.category === one));
  const at = shown.findIndex((one) => one.id === picked?.id);

  // What is picked stays among what is shown, and there is always something to see.
  useEffect(() => {
    const first = shown[0] ?? null;
    if (at === -1 && first?.id !== picked?.id) pick(first);
  }, [at, shown, picked, pick]);
  useEffect(() => {
    document.getElementById(`${id}-${picked?.id}`)?.scrollIntoView({ block: 'nearest' });
  }, [id, picked]);

  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const next = step === undefined ? undefined : shown[Math.min(shown.length - 1, Math.max(0, at + step))];
    const here = shown[at];
    if (next) {
      event.preventDefault();
      pick(next);
    } else if (event.key === 'Enter' && here) {
      event.preventDefault();
      choose(here);
    }
  };
  return (
    <>
      <div className={classes.search}>
        <TextInput
          data-autofocus
          leftSection={<Search size={15} aria-hidden />}
          placeholder={t('template.search')}
          aria-label={t('template.search')}
          role="combobox"
          aria-expanded
          aria-controls={`${id}-list`}
          aria-activedescendant={at === -1 ? undefined : `${id}-${picked?.id}`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={walk}
          data-testid="template-search"
        />
        <div className={classes.filters}>
          <Select
            size="xs"
            clearable
            comboboxProps={{ withinPortal: true }}
            placeholder={t('template.anyLanguage')}
            aria-label={t('template.language')}
            data={languages.map((value) => ({ value, label: languageName(value, language) }))}
            value={spoken}
            onChange={setSpoken}
            data-testid="template-language"
          />
          <Select
            size="xs"
            clearable
            comboboxProps={{ withinPortal: true }}
            placeholder={t('template.anyCategory')}
            aria-label={t('template.category')}
            data={categories.map((value) => ({ value, label: t(`template.category.${value}`) }))}
            value={category}
            onChange={setCategory}
            data-testid="template-category"
          />
        </div>
      </div>
      {shown.length === 0 && <p className={classes.nothing}>{t('list.none')}</p>}
      <div className={classes.list} role="listbox" id={`${id}-list`} aria-label={t('template.list')}>
        {shown.map((one) => (
          <Row
            key={one.id}
            id={`${id}-${one.id}`}
            template={one}
            selected={one.id === picked?.id}
            choose={() => choose(one)}
          />
        ))}
      </div>
    </>
  );
}

function Row({
  id,
  template,
  selected,
  choose,
}: {
  id: string;
  template: Template;
  selected: boolean;
  choose: () => void;
}) {
  const { t, language } = useWords();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the search field has the keys; this is its list
    <div
      id={id}
      role="option"
      tabIndex={-1}
      aria-selected={selected}
      className={classes.row}
      onClick={choose}
      data-testid="template-option"
      data-name={template.name}
      data-language={template.language}
    >
      <span className={classes.name}>{titleOf(template)}</span>
      <span className={`${classes.words} clip`}>{template.body}</span>
      <span className={classes.tags}>
        <span className={classes.tag}>{languageName(template.language, language)}</span>
        <span className={classes.tag} data-category={template.category}>
          {t(`template.category.${template.category}`)}
        </span>
      </span>
    </div>
  );
}
