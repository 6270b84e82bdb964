// Takes pictures of the desk on the mock server: `node dev/shots.mjs [folder]`. Needs Chromium (CHROMIUM=path).
import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const folder = process.argv[2] ?? 'test-results/shots';
const only = process.argv[3];
const base = process.env.DESK_URL ?? 'http://127.0.0.1:5173';
const shots = [
  ['waiting-1440-pt-light', 1440, 900, 'pt-BR', 'light', '#/waiting'],
  ['chat-1440-pt-light', 1440, 900, 'pt-BR', 'light', '#/active/cnv_1'],
  ['chat-1440-en-dark', 1440, 900, 'en', 'dark', '#/active/cnv_1'],
  ['closed-1440-es-light', 1440, 900, 'es', 'light', '#/inactive/cnv_4'],
  ['take-1440-es-dark', 1440, 900, 'es', 'dark', '#/waiting/cnv_5'],
  ['active-1440-pt-dark', 1440, 900, 'pt-BR', 'dark', '#/active'],
  ['waiting-1024-es-light', 1024, 768, 'es', 'light', '#/waiting'],
  ['chat-1024-en-light', 1024, 768, 'en', 'light', '#/active/cnv_2'],
  ['list-390-pt-light', 390, 844, 'pt-BR', 'light', '#/waiting'],
  ['chat-390-pt-dark', 390, 844, 'pt-BR', 'dark', '#/active/cnv_1'],
  [
    'transfer-1440-pt-light',
    1440,
    900,
    'pt-BR',
    'light',
    '#/active/cnv_1',
    (page) => page.getByTestId('transfer').click(),
  ],
  ['keys-1440-en-dark', 1440, 900, 'en', 'dark', '#/active/cnv_1', (page) => page.keyboard.press('?')],
  ['commands-1440-pt-light', 1440, 900, 'pt-BR', 'light', '#/active/cnv_2', (page) => page.keyboard.press('Control+k')],
  ['why-1440-en-light', 1440, 900, 'en', 'light', '#/active/cnv_1', (page) => page.getByTestId('why').click()],
  ['settings-1440-es-dark', 1440, 900, 'es', 'dark', '#/active/cnv_3', (page) => page.getByTestId('settings').click()],
  [
    'top-1440-pt-light',
    1440,
    900,
    'pt-BR',
    'light',
    '#/active/cnv_1',
    (page) => page.getByTestId('messages').evaluate((box) => box.scrollTo(0, box.scrollHeight - 1750)),
  ],
  [
    'top-1440-en-dark',
    1440,
    900,
    'en',
    'dark',
    '#/active/cnv_1',
    (page) => page.getByTestId('messages').evaluate((box) => box.scrollTo(0, box.scrollHeight - 1750)),
  ],
  ['emoji-1440-pt-dark', 1440, 900, 'pt-BR', 'dark', '#/active/cnv_3', (page) => page.getByTestId('emoji').click()],
  ...[
    ['templates-1440-pt-light', 1440, 900, 'pt-BR', 'light'],
    ['templates-1440-es-dark', 1440, 900, 'es', 'dark'],
    ['templates-390-en-light', 390, 844, 'en', 'light'],
  ].map((shot) => [...shot, '#/inactive/cnv_4', fillTemplate]),
  ['details-390-pt-light', 390, 844, 'pt-BR', 'light', '#/active/cnv_1', (page) => page.getByTestId('details').click()],
  ['parked-1440-pt-light', 1440, 900, 'pt-BR', 'light', '#/parked', expand],
  ['parked-doubt-1440-en-dark', 1440, 900, 'en', 'dark', '#/parked/prk_doubt0', expand],
  ['parked-call-1440-es-light', 1440, 900, 'es', 'light', '#/parked/prk_call0', expand],
  ['parked-stranger-1024-pt-dark', 1024, 768, 'pt-BR', 'dark', '#/parked/prk_stranger'],
  ['parked-390-pt-light', 390, 844, 'pt-BR', 'light', '#/parked', expand],
  ['parked-doubt-390-pt-dark', 390, 844, 'pt-BR', 'dark', '#/parked/prk_doubt0'],
  [
    'parked-bulk-1440-pt-light',
    1440,
    900,
    'pt-BR',
    'light',
    '#/parked',
    (page) => page.getByTestId('redrive-all').click(),
  ],
  ['menu-390-en-dark', 390, 844, 'en', 'dark', '#/waiting', (page) => page.getByTestId('menu').click()],
];

/** Shows the messages of the first cause. */
async function expand(page) {
  await page.getByTestId('parked-cause').first().click();
}

async function fillTemplate(page) {
  await page.getByTestId('closed-templates').click();
  await page.getByTestId('template-search').fill('pronto');
  if (page.viewportSize().width > 760) await page.getByTestId('template-option').first().waitFor();
  await page.getByTestId('template-search').press('Enter');
  await page.getByTestId('template-value').first().fill('Marina');
  await page.getByTestId('template-value').nth(1).focus();
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
  ],
});
try {
  for (const [name, width, height, language, scheme, hash, act] of shots) {
    if (only && !name.includes(only)) continue;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      hasTouch: width < 500,
    });
    const page = await context.newPage();
    page.on(
      'console',
      (message) =>
        ['error', 'warning'].includes(message.type()) && console.log(`${name}: ${message.text().slice(0, 300)}`),
    );
    page.on('pageerror', (error) => console.log(`${name}: ${error.message}`));
    await page.request.post(`${base}/api/v1/sessions`, { data: { email: 'marina@demo.test', password: 'demo' } });
    await page.request.put(`${base}/api/v1/me/language`, { data: { language } });
    await page.goto(`${base}/${hash}`);
    await page
      .locator('[data-testid=connection][data-state=live], [data-testid=back], [data-testid=parked]')
      .first()
      .waitFor({ state: 'attached' });
    await page.waitForTimeout(700);
    if (act) {
      await act(page);
      await page.waitForTimeout(500);
    }
    await page.screenshot({ path: `${folder}/${name}.png` });
    await context.close();
  }
  if (!only || 'signin'.includes(only)) {
    for (const [scheme, language] of [
      ['light', 'pt-BR'],
      ['dark', 'en'],
    ]) {
      const context = await browser.newContext({
        viewport: { width: 1440, height: 900 },
        colorScheme: scheme,
        locale: language,
      });
      const page = await context.newPage();
      await page.request.delete(`${base}/api/v1/sessions/current`);
      await page.goto(base);
      await page.getByTestId('signin-email').fill('marina@demo.test');
      await page.getByTestId('signin-password').fill('wrong');
      await page.getByTestId('signin-submit').click();
      await page.waitForTimeout(600);
      await page.screenshot({ path: `${folder}/signin-${scheme}.png` });
      await context.close();
    }
  }
} finally {
  await browser.close();
}
