// @vitest-environment jsdom
import { MantineProvider } from '@mantine/core';
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SignIn } from './signin';

beforeEach(() => {
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function fill(password: string): void {
  render(
    <MantineProvider>
      <SignIn />
    </MantineProvider>,
  );
  fireEvent.click(screen.getByText('Español'));
  fireEvent.change(screen.getByTestId('signin-email'), { target: { value: 'ana@x.test' } });
  fireEvent.change(screen.getByTestId('signin-password'), { target: { value: password } });
  fireEvent.click(screen.getByTestId('signin-submit'));
}

describe('sign-in', () => {
  it('says what is wrong in the language of the page', async () => {
    const body = JSON.stringify({ code: 'bad_credentials', status: 401, title: 'x' });
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, { status: 401 })));
    fill('wrong');
    await waitFor(() => expect(screen.getByTestId('signin-error').textContent).toContain('contraseña es incorrecto'));
    expect(screen.getByTestId('signin-error').getAttribute('data-code')).toBe('bad_credentials');
  });

  it('asks for what is missing without calling', () => {
    const fetched = vi.fn();
    vi.stubGlobal('fetch', fetched);
    fill('');
    expect(screen.getByTestId('signin-error').getAttribute('data-code')).toBe('missing');
    expect(fetched).not.toHaveBeenCalled();
  });
});
