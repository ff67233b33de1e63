// The Proxmox server that the panel manages: asked with the API token of the settings, over TLS to one certificate only.
import { request } from 'node:http'
import { connect } from 'node:tls'

/** A connection whose certificate is the pinned one; the token is not sent to any other. */
function openPinned({ hostname, port }, fingerprint) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port || 443), rejectUnauthorized: false })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      if (socket.getPeerX509Certificate()?.fingerprint256 === fingerprint) return resolve(socket)
      socket.destroy()
      reject(new Error('another certificate than the pinned one'))
    })
  })
}

/** The server's version. Rejects when it does not answer or does not take the token. */
export async function proxmoxVersion({ url, tokenId, tokenSecret, fingerprint }) {
  const at = new URL('/api2/json/version', url)
  const socket = await openPinned(at, fingerprint)
  return new Promise((resolve, reject) => {
    const headers = { authorization: `PVEAPIToken=${tokenId}=${tokenSecret}`, connection: 'close' }
    const asked = request(
      { createConnection: () => socket, host: at.host, path: at.pathname, headers },
      async answer => {
        let text = ''
        for await (const chunk of answer) text += chunk
        if (answer.statusCode === 200) resolve(JSON.parse(text).data.version)
        else reject(new Error(`proxmox answers ${answer.statusCode}`))
      },
    )
    asked
      .once('error', reject)
      .setTimeout(5000, () => asked.destroy(new Error('proxmox does not answer')))
      .end()
  })
}
