import { Alert, Button, PasswordInput, SegmentedControl, TextInput } from '@mantine/core';
import { CircleAlert, Clock3 } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { type ApiError, asApiError } from '@/api/problem';
import type { Language } from '@/api/types';
import { LANGUAGES, useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { signIn, speak } from '@/store/session';
import { Brand } from '@/ui/brand';
import classes from './signin.module.css';

export function SignIn() {
  const { t, language, error: errorWords, format } = useWords();
  const expired = useDesk((state) => state.expired);
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<ApiError | 'missing' | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (email.trim() === '' || password === '') {
      setError('missing');
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await signIn(email.trim(), password);
    } catch (thrown) {
      setError(asApiError(thrown));
      setBusy(false);
    }
  };

  const words = () => {
    if (error === null) return null;
    if (error === 'missing') return t('signin.missing');
    const wait =
      error.retryAfter === null ? '' : ` ${t('signin.wait', { time: format.duration(error.retryAfter * 1000, true) })}`;
    return errorWords(error.code) + wait;
  };

  return (
    <main className={classes.page}>
      <div className={classes.box}>
        <div className={classes.brand}>
          <Brand size={40} />
          <span>{t('app.name')}</span>
        </div>
        <h1 className={classes.title}>{t('signin.title')}</h1>
        <p className={classes.lead}>{t('signin.lead')}</p>
        <form onSubmit={submit} className={classes.form} noValidate>
          {expired && error === null && (
            <Alert color="yellow" icon={<Clock3 size={18} aria-hidden />} role="status" data-testid="signin-expired">
              {t('signin.expired')}
            </Alert>
          )}
          {error !== null && (
            <Alert
              color="red"
              icon={<CircleAlert size={18} aria-hidden />}
              role="alert"
              data-testid="signin-error"
              data-code={error === 'missing' ? 'missing' : error.code}
            >
              {words()}
            </Alert>
          )}
          <TextInput
            label={t('signin.email')}
            type="email"
            name="email"
            autoComplete="username"
            autoFocus
            size="md"
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
            data-testid="signin-email"
          />
          <PasswordInput
            label={t('signin.password')}
            name="password"
            autoComplete="current-password"
            size="md"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            data-testid="signin-password"
          />
          <Button type="submit" size="md" loading={busy} fullWidth data-testid="signin-submit">
            {t('signin.submit')}
          </Button>
        </form>
        <SegmentedControl
          size="xs"
          fullWidth
          aria-label={t('nav.language')}
          value={language}
          onChange={(value) => speak(value as Language)}
          data={LANGUAGES.map(({ id, name }) => ({ value: id, label: name }))}
          data-testid="signin-language"
        />
      </div>
    </main>
  );
}
