import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import type { PluginOption } from 'vite';
import { defineConfig } from 'vitest/config';

/** `npm run dev` talks to a running mesh (AFLUENTE_URL, default 127.0.0.1:8080); `npm run mock` needs none. */
export default defineConfig(async ({ mode, command }) => {
  const target = process.env.AFLUENTE_URL ?? 'http://127.0.0.1:8080';
  const mocked = mode === 'mock' && command === 'serve';
  const plugins: PluginOption[] = [react()];
  if (mocked) {
    const { mockDesk } = await import('./dev/mock/plugin.ts');
    plugins.push(mockDesk());
  }
  return {
    plugins,
    resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
    build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 900 },
    server: {
      host: '127.0.0.1',
      port: Number(process.env.PORT ?? 5173),
      strictPort: true,
      proxy: mocked ? undefined : { '/api': { target, ws: true, changeOrigin: false } },
    },
    test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}'], restoreMocks: true },
  };
});
