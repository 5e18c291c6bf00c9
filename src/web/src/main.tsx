// First of all: it takes the token out of the address.
import './net/arrival';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { AppContext, startApp } from './app';
import './app.css';
import { Entrance } from './components/Entrance';
import { installDebugHook } from './debug';

const app = startApp();
installDebugHook(app);

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no element with the id "root"');
createRoot(root).render(
  <StrictMode>
    <AppContext value={app}>
      <Entrance />
    </AppContext>
  </StrictMode>,
);
