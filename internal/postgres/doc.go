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
//   - Agents' searches in a knowledge of up to 10,000 passages are answered from a
//     copy in memory, of the very version that the search's first statement tells
//     (held.go); what customers may see the database decides each time.
//
// Poolers: statements are prepared once per connection, and search_path, role and
// time limits are set when it starts. PgBouncer refuses those settings or, told to
// ignore them, loses them: connect to Postgres itself. A node uses 20 connections
// at most (Config), and 9 to the replica.
//
// # What scales by what
//
// A chat is some 12 turns, 6 suggestions and 6 replies: 24 commits, 30 events, and
// 60 KB, nearly all of it what suggestions were made of. The busiest minute has ten
// times the mean.
//
//	chats a day   agents   commits/s, mean and peak   new rows a day   new data a day
//	    100,000   10,000                   28, 280            4.8 m            6 GB
//	  1,000,000  100,000                280, 2,800             48 m           60 GB
//
// Writes: every one is a transaction of one conversation, nearly always one round
// trip, and conversations share no row, so what bounds them is how many commits a
// second the primary brings to its disk. One Postgres on good disks takes thousands
// (with group commit more), so 100,000 chats a day are 10 % of one and a million
// are the whole of a big one. What grows first is space: a million chats a day are
// 22 TB a year, so old conversations must be moved out (deleting one deletes all of
// it) or spread.
//
// Reads: searches scan passages, and cost processor time where nothing else does:
// a millisecond or two each at 100,000 passages. They go to a streaming replica
// (Config.ReadURL) as long as it is at most 2 s behind; a second replica stands
// behind the same address, as a load balancer or several hosts in the URL. What
// must be what was just committed (transcripts, logs, queue) is read from the
// primary by its primary key.
//
// Nodes hold nothing that is not in the database, so they scale by being more. One of two cores carries 10,000
// sockets in 200 MB and makes some hundreds of suggestions a second with a model
// elsewhere: three nodes for 10,000 agents (for the sake of one that dies, not of
// the load), some twenty for 100,000 agents, their customers' 50,000 sockets and
// 1,200 suggestions a second. Each node asks the primary for the heads of the
// conversations it has watchers for, every 3 s, by primary key: 10,000 agents with
// five conversations each are 17,000 rows a second over all nodes, 5 % of a core;
// ten times the agents need the interval, or a replica's help, before anything else
// here. Leases are renewed once a second for the suggestions at work, and looked
// for once a second: two small statements a node.
//
// What is per node by decision: how many conversations one address may begin, the
// rates and sizes of a connection, and the breakers of the models' clients. They
// protect the node that is asked, must not cost a question to the database, and
// are lost with it to nobody's harm. Limits of what is spent (the bot's answers and
// tokens) are rows, and hold for all nodes together.
//
// Beyond one primary: spread by conversation. Every table of conversations has
// conversation_id first in its primary key and in each unique index, and every
// statement on the way of a turn names it, so a Postgres that hashes by it (Citus:
// create_distributed_table('conversations', 'id'), the others by conversation_id
// beside it, knowledge and settings as local or reference tables) keeps a turn on
// one shard. A test holds the key. Not yet tried on such a server, and to be
// changed there: Orphans takes its rows with one statement across all conversations
// and must be asked shard by shard; Queue, QueueChanges, Heads and Suggestion read
// several shards, which works and costs a round trip to each; statements that
// insert in a CTE may need to become a function that runs on the shard.
package postgres
