import { Loader } from '@mantine/core';
import { useEffect } from 'react';
import { Desk } from './features/shell/desk';
import { SignIn } from './features/signin/signin';
import { useWords } from './i18n';
import { useDesk } from './store/desk';

export function App() {
  const session = useDesk((state) => state.session);
  const { language, t } = useWords();
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  if (session === 'in') return <Desk />;
  if (session === 'out') return <SignIn />;
  return (
    <div style={{ display: 'grid', placeItems: 'center', height: '100%' }} role="status">
      <Loader type="dots" aria-label={t('app.loading')} />
    </div>
  );
}
