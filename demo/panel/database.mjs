// The panel's tables, named as Prisma names them, and the few questions it asks of them.
import pg from 'pg'

const schema = `
  CREATE TABLE IF NOT EXISTS "User" (
    "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "email" text NOT NULL UNIQUE,
    "passwordHash" text NOT NULL,
    "role" text NOT NULL DEFAULT 'user',
    "updatedAt" timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE IF NOT EXISTS "AuthSession" (
    "id" uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "userId" uuid NOT NULL REFERENCES "User"("id") ON DELETE CASCADE,
    "refreshTokenHash" text,
    "createdAt" timestamptz NOT NULL DEFAULT now(),
    "revokedAt" timestamptz
  );
  CREATE TABLE IF NOT EXISTS "AuditLog" (
    "id" bigserial PRIMARY KEY,
    "at" timestamptz NOT NULL DEFAULT now(),
    "what" text NOT NULL
  );
  CREATE TABLE IF NOT EXISTS "WebhookDelivery" (
    "id" bigserial PRIMARY KEY,
    "at" timestamptz NOT NULL DEFAULT now(),
    "provider" text NOT NULL,
    "key" text NOT NULL,
    "event" text NOT NULL
  );`

/** One question over a connection of its own: an answer proves that a login with this URL works now. */
async function askFresh(url, sql, values = []) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  try {
    await client.connect()
    return await client.query(sql, values)
  } finally {
    await client.end()
  }
}

export const isReachable = async url => (await askFresh(url, 'SELECT 1 AS one')).rows[0].one === 1

/** Makes the tables and sets the admin's password hash: run again after ADMIN_PASSWORD was changed. */
export async function seed(url, email, passwordHash) {
  await askFresh(url, schema)
  await askFresh(
    url,
    `INSERT INTO "User" ("email", "passwordHash", "role") VALUES ($1, $2, 'admin')
     ON CONFLICT ("email") DO UPDATE SET "passwordHash" = EXCLUDED."passwordHash", "updatedAt" = now()`,
    [email, passwordHash],
  )
}

export function openDatabase(url) {
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 5000 })
  // An idle connection that the server ends must not end the panel.
  pool.on('error', () => {})
  const rows = async (sql, values) => (await pool.query(sql, values)).rows
  return {
    findUser: async email => (await rows('SELECT * FROM "User" WHERE "email" = $1', [email]))[0],
    openSession: async userId =>
      (await rows('INSERT INTO "AuthSession" ("userId") VALUES ($1) RETURNING "id"', [userId]))[0].id,
    keepRefreshToken: (id, hash) =>
      pool.query('UPDATE "AuthSession" SET "refreshTokenHash" = $2 WHERE "id" = $1', [id, hash]),
    findSession: async id =>
      (
        await rows(
          'SELECT * FROM "AuthSession" JOIN "User" ON "User"."id" = "userId" WHERE "AuthSession"."id" = $1 AND "revokedAt" IS NULL',
          [id],
        )
      )[0],
    log: what => pool.query('INSERT INTO "AuditLog" ("what") VALUES ($1)', [what]),
    recentLog: () => rows('SELECT "at", "what" FROM "AuditLog" ORDER BY "id" DESC LIMIT 20'),
    keepDelivery: (provider, key, event) =>
      pool.query('INSERT INTO "WebhookDelivery" ("provider", "key", "event") VALUES ($1, $2, $3)', [
        provider,
        key,
        event,
      ]),
    // By the database's clock alone, so that no two clocks have to agree.
    countDeliveries: () =>
      rows(
        `SELECT "provider", "key", count(*)::int AS "count",
                floor(extract(epoch FROM now() - max("at")))::int AS "secondsSinceLast"
         FROM "WebhookDelivery" GROUP BY "provider", "key" ORDER BY "provider", "key"`,
      ),
    close: () => pool.end(),
  }
}
