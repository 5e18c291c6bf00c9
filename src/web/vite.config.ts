import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the page itself and passes the API on to this server.
const api = process.env['QUARTERDECK_URL'] ?? 'http://127.0.0.1:3000';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    target: 'es2022',
    // The content security policy allows no data: URL for scripts, styles or
    // fonts, so every asset stays a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // xterm and React together; scripts/build-web holds the limit that counts.
    chunkSizeWarningLimit: 800,
  },
  server: {
    proxy: {
      // The API knows pages of its own address only.
      '/api': { target: api, changeOrigin: true, headers: { origin: api } },
      '/ws': { target: api, changeOrigin: true, headers: { origin: api }, ws: true },
    },
  },
  // The time limit only ends a test that hangs: machines are busy with other things, too.
  test: { include: ['test/**/*.test.{ts,tsx}'], environment: 'node', testTimeout: 60_000 },
});
