import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './styles/tokens.css';
import './styles/base.css';

import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app';
import { boot } from './store/session';
import { theme } from './theme';

const scheme = localStorageColorSchemeManager({ key: 'afluente.scheme' });
const root = document.getElementById('root');
if (root) {
  void boot();
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} colorSchemeManager={scheme} defaultColorScheme="auto">
        <Notifications position="top-center" limit={4} />
        <App />
      </MantineProvider>
    </StrictMode>,
  );
}
