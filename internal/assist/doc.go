// Package assist holds the nouns of Aside, their states and their error codes.
// It imports the standard library only and has no behaviour that needs a
// dependency: everything else in the house points here.
//
// A conversation:
//
//	bot ──hand over──▶ waiting ──an agent takes it──▶ open ──▶ closed
//	                      ▲                             │         │
//	                      └──────── handed back ────────┘         │
//	                      └──────── the customer writes again ────┘
//
// A suggestion:
//
//	drafting ──▶ ready ──────▶ accepted · edited · dismissed
//	   │    ├──▶ abstained         (what the agent did with it)
//	   │    ├──▶ failed        (why; passages, steps and instant draft stand)
//	   └────┴──▶ superseded    (the customer wrote again, or a reply was sent)
//
// Kept events carry a sequence number that is gapless per conversation; a turn's
// sequence number is that of its event.
package assist
