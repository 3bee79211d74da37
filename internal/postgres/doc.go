// Package postgres keeps conversations and knowledge in PostgreSQL with
// pgvector. It is the only importer of pgx and implements chat.Store,
// retrieve.Index and ingest.Store. SQL stands beside the method that runs it.
//
// What it promises:
//
//   - A write that returned without an error is on disk. One that returned an
//     error may have happened when the connection broke at the wrong moment;
//     the same call again, with the same key, answers what was stored. Such
//     writes are tried once more here before anybody hears of it.
//   - Sequence numbers are taken under the conversation's row lock, in the same
//     statement or transaction that uses them: gapless, and in commit order.
//   - A caller's context ends waiting for a connection, never a statement: pgx
//     closes a connection whose context ends, and agents cancel all day. Every
//     statement has a time limit of its own, on the server and on the client.
//   - Turns, searches, customers' reads and ingests have separate small pools,
//     so that none starves another.
//   - Customers' reads, and searches for anything but the internal audience, run
//     as a role that row-level security limits; a connection that could read
//     past it is refused when it is opened.
//   - Knowledge is written by one transaction at a time per schema.
//
// Poolers: statements are prepared once per connection, and search_path, role and
// time limits are set when it starts. PgBouncer refuses those settings or, told to
// ignore them, loses them: connect to Postgres itself. A node uses 16 connections
// at most (Config).
package postgres
