import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Plugin } from 'vite';
import { WebSocketServer } from 'ws';
import { Desk } from './desk.ts';

/** Serves a mock of the desk's API from memory, beside Vite's own server. For development only; never built. */
export function mockDesk(): Plugin {
  return {
    name: 'mock-desk',
    configureServer(server) {
      const desk = new Desk();
      const sockets = new WebSocketServer({ noServer: true });
      server.httpServer?.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (!request.url?.startsWith('/api/v1/events')) return;
        sockets.handleUpgrade(request, socket, head, (peer) =>
          desk.join(peer, new URL(request.url ?? '', 'http://mock')),
        );
      });
      server.middlewares.use('/api/v1', (request: IncomingMessage, response: ServerResponse) => {
        void desk.answer(request, response);
      });
    },
  };
}
