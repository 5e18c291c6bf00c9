import { useWebSocket } from '../hooks/useWebSocket';
import { LoginForm } from './LoginForm';
import { Page } from './Page';

/** The page for who is logged in, the form for everybody else. Nobody else gets to see what was on the terminals. */
export function Entrance() {
  const { login } = useWebSocket();
  return login.phase === 'needed' || login.phase === 'trying' ? <LoginForm /> : <Page />;
}
