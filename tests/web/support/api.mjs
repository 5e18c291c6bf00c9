// The API of one server.

export function apiAt(url) {
  return {
    url,
    get: (route) => request('GET', url + route),
    post: (route, body) => request('POST', url + route, body),
    destroy: (id) => request('DELETE', `${url}/api/sessions/${id}`),
    /** Everything the session's program has written that is still kept. */
    output: async (id) => (await fetch(`${url}/api/sessions/${id}/output`)).text(),
    /** Types into the session's terminal. */
    type: async (id, text) => {
      const response = await fetch(`${url}/api/sessions/${id}/input`, { method: 'POST', body: text });
      if (!response.ok) throw new Error(`typing into ${id}: ${response.status} ${await response.text()}`);
    },
  };
}

async function request(method, url, body) {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}
