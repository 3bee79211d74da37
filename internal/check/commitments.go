package check

import "strings"

// absolute reads words that leave no room: free, guaranteed, always, never, a
// full refund. Policy nearly always has exceptions.
func (r *valueReader) absolute() bool {
	t, next := r.at(0), r.at(1).low
	if key, ok := absolutes[t.low]; ok {
		return r.take(Absolute, key, 1)
	}
	switch t.low {
	case "free":
		if p := r.at(-1).low; p == "feel" || p == "be" && next == "to" || p == "-" && r.at(-2).kind == tokWord || next == "to" {
			return false
		}
		if next == "of" && r.at(2).low == "charge" {
			return r.take(Absolute, "free", 3)
		}
		return r.take(Absolute, "free", 1)
	case "no":
		switch {
		case gratis[next]:
			return r.take(Absolute, "free", 2)
		case (next == "extra" || next == "additional" || next == "further") && gratis[r.at(2).low]:
			return r.take(Absolute, "free", 3)
		case next == "matter" && r.at(2).low == "what":
			return r.take(Absolute, "always", 3)
		}
	case "without", "sans", "sin", "ohne", "sem":
		switch n := next; {
		case n == "charge" || n == "cost" || n == "frais" || n == "cargo" || n == "coste" || n == "costo" || n == "kosten" || n == "custo":
			return r.take(Absolute, "free", 2)
		case n == "exception" || n == "exceptions":
			return r.take(Absolute, "always", 2)
		}
	case "on":
		if next == "the" && r.at(2).low == "house" {
			return r.take(Absolute, "free", 3)
		}
	case "under":
		if next == "no" && r.at(2).low == "circumstances" {
			return r.take(Absolute, "never", 3)
		}
	case "at":
		switch {
		case next == "all" && r.at(2).low == "times":
			return r.take(Absolute, "always", 3)
		case next == "our" && r.at(2).low == "expense":
			return r.take(Absolute, "free", 3)
		}
	case "for":
		if next == "life" {
			return r.take(Absolute, "forever", 2)
		}
		if next == "nothing" && r.at(-1).low != "thanks" {
			return r.take(Absolute, "free", 2)
		}
	case "won't", "won’t":
		if next == "be" && r.at(2).low == "charged" {
			return r.take(Absolute, "free", 3)
		}
	case "not":
		if next == "be" && r.at(2).low == "charged" {
			return r.take(Absolute, "free", 3)
		}
		if next == "ever" {
			return r.take(Absolute, "never", 2)
		}
	case "full", "whole", "entire", "complete":
		switch next {
		case "refund", "refunds", "reimbursement", "credit":
			return r.take(Absolute, "full refund", 2)
		}
	case "refund", "refunded", "refunds", "reimbursed", "credited":
		if next == "in" && r.at(2).low == "full" {
			return r.take(Absolute, "full refund", 3)
		}
	case "fully", "completely":
		switch next {
		case "refunded", "reimbursed", "credited":
			return r.take(Absolute, "full refund", 2)
		}
	case "money":
		if next == "-" && r.at(2).low == "back" || next == "back" {
			n := 2
			if next == "-" {
				n = 3
			}
			return r.take(Absolute, "money back", n)
		}
	}
	return false
}

var absolutes = map[string]string{
	"lifetime":      "forever",
	"complimentary": "free", "gratis": "free", "kostenlos": "free", "kostenlose": "free", "kostenlosen": "free", "kostenloser": "free", "kostenfrei": "free", "umsonst": "free",
	"gratuit": "free", "gratuite": "free", "gratuits": "free", "gratuites": "free", "gratuitement": "free", "offert": "free", "offerte": "free", "gratuito": "free", "gratuita": "free", "gratuitamente": "free",
	"guarantee": "guarantee", "guaranteed": "guarantee", "guarantees": "guarantee", "guaranteeing": "guarantee", "promise": "guarantee", "promised": "guarantee", "promises": "guarantee",
	"garantie": "guarantee", "garantieren": "guarantee", "garantiere": "guarantee", "garantiert": "guarantee", "versprochen": "guarantee", "verspreche": "guarantee",
	"garantis": "guarantee", "garantit": "guarantee", "garantissons": "guarantee", "promets": "guarantee", "promettons": "guarantee",
	"garantiza": "guarantee", "garantizamos": "guarantee", "garantizo": "guarantee", "garantizado": "guarantee", "prometo": "guarantee", "garantimos": "guarantee", "garanto": "guarantee",
	"always": "always", "immer": "always", "toujours": "always", "siempre": "always", "sempre": "always",
	"never": "never", "niemals": "never", "nie": "never", "jamais": "never", "nunca": "never", "jamás": "never",
	"unlimited": "unlimited", "unbegrenzt": "unlimited", "illimité": "unlimited", "ilimitado": "unlimited", "forever": "forever",
}

var gratis = map[string]bool{"charge": true, "charges": true, "cost": true, "costs": true, "fee": true, "fees": true}

// commitment reads a deed done, under way or to come in the company's name: "I
// have approved", "we're waiving", "I'll refund", "your claim has been
// approved", "ich habe … storniert". A condition ("once your claim has been
// approved") commits nobody.
func (r *valueReader) commitment() bool {
	return r.own() || r.passive() || r.settled()
}

// settled reads what says in other words that something was decided: "consider
// it waived", "signed off", "decided in your favor", "the fee is gone".
func (r *valueReader) settled() bool {
	t, next := r.at(0), r.at(1).low
	switch t.low {
	case "consider":
		for k := 2; k < 6; k++ {
			if root, ok := deeds[r.at(k).low]; ok && strings.HasSuffix(r.at(k).low, "ed") {
				return r.commit(root, k+1, false)
			}
			if w := r.at(k).low; w == "done" || w == "settled" {
				return r.commit("resolve", k+1, false)
			}
			if r.at(k).kind != tokWord {
				return false
			}
		}
	case "signed":
		if b := r.at(-1).low; next == "off" && (b == "has" || b == "have" || b == "already") && !r.conditional() {
			return r.commit("approve", 2, false)
		}
	case "agreed":
		if b := r.at(-1).low; next == "to" && (b == "has" || b == "have" || b == "already" || b == "i've" || b == "we've") && !r.conditional() {
			return r.commit("approve", 2, false)
		}
	case "in":
		if next == "your" && (r.at(2).low == "favor" || r.at(2).low == "favour") && !r.conditional() {
			return r.commit("favour", 3, false)
		}
	case "charge", "fee", "fees", "charges", "penalty":
		if b := r.at(2).low; (next == "is" || next == "are") && (b == "gone" || b == "off") && !r.conditional() {
			return r.commit("remove", 3, false)
		}
	}
	return false
}

// own reads a commitment in the first person.
func (r *valueReader) own() bool {
	t := r.at(0)
	k, rule := 1, false
	switch t.low {
	case "i", "we":
		switch r.at(1).low {
		case "have", "am", "are", "shall", "went", "did":
			k = 2
		case "will":
			k, rule = 2, true
		case "can", "may", "could", "might", "would":
			return false
		default:
			rule = t.low == "we"
		}
		rule = rule && t.low == "we"
	case "we'll", "we’ll":
		rule = true
	case "i've", "we've", "i’ve", "we’ve", "i'll", "i’ll", "i'm", "we're", "i’m", "we’re":
	case "ich", "wir", "je", "nous", "j'ai", "j’ai", "he", "hemos", "yo":
		return r.foreign()
	default:
		return false
	}
	for skipped[r.at(k).low] {
		k++
	}
	if (r.at(k).low == "made" || r.at(k).low == "make" || r.at(k).low == "making") && r.at(k+2).low == "exception" {
		return r.commit("exception", k+3, false)
	}
	root, ok := deeds[r.at(k).low]
	if !ok || r.conditional() && t.low == "we" {
		return false
	}
	return r.commit(root, k+1, rule)
}

// foreign reads "ich habe Ihre Gebühr erlassen", "j'ai annulé", "hemos
// aprobado": the verb may stand some words behind.
func (r *valueReader) foreign() bool {
	for k := 1; k < 10; k++ {
		t := r.at(k)
		if t.kind == tokSymbol && t.low != "," {
			return false
		}
		if root, ok := foreignDeeds[t.low]; ok {
			return r.commit(root, k+1, false)
		}
	}
	return false
}

// passive reads "has been approved", "was waived", "is being refunded", "you're
// approved".
func (r *valueReader) passive() bool {
	k := 0
	switch r.at(0).low {
	case "has", "have", "had":
		if r.at(0).low == "had" {
			return false
		}
		k = 1
		for skipped[r.at(k).low] {
			k++
		}
		if r.at(k).low != "been" {
			return false
		}
		k++
	case "you'll", "you’ll", "will":
		if r.at(1).low != "be" {
			return false
		}
		k = 2
		for skipped[r.at(k).low] {
			k++
		}
		root, ok := deeds[r.at(k).low]
		if !ok || !strings.HasSuffix(r.at(k).low, "ed") || r.conditional() {
			return false
		}
		return r.commit(root, k+1, true)
	case "was", "were":
		k = 1
	case "is", "are", "you're", "you’re":
		k = 1
		if n := r.at(k).low; n != "being" && n != "now" && n != "already" && n != "hereby" && r.at(-1).low != "you" && r.at(0).low[0] != 'y' {
			return false
		}
		k++
		if r.at(1).low != "being" && r.at(1).low != "now" && r.at(1).low != "already" && r.at(1).low != "hereby" {
			k--
		}
	case "wurde", "wurden", "ist", "été", "sido":
		for k = 1; k < 8; k++ {
			if root, ok := foreignDeeds[r.at(k).low]; ok && (r.at(0).low != "ist" || k < 4) {
				return r.commit(root, k+1, false)
			}
			if r.at(k).kind == tokSymbol {
				break
			}
		}
		return false
	default:
		return false
	}
	for skipped[r.at(k).low] {
		k++
	}
	root, ok := deeds[r.at(k).low]
	if !ok || !strings.HasSuffix(r.at(k).low, "ed") && r.at(k).low != "paid" || r.conditional() {
		return false
	}
	return r.commit(root, k+1, false)
}

// ruleMark sets what is always done apart from what was done once, in keys.
const ruleMark = "rule "

func (r *valueReader) commit(root string, n int, rule bool) bool {
	if rule {
		root = ruleMark + root
	}
	r.take(Commitment, root, n)
	r.values[len(r.values)-1].rule = rule
	return true
}

// conditional reports whether a condition, a question or a relative clause opens
// the clause that the reader stands in.
func (r *valueReader) conditional() bool {
	for k := -1; k > -16; k-- {
		t := r.at(k)
		if t.start >= r.at(0).start && k < 0 || t.kind == tokSymbol && strings.Contains(".!?;:", t.low) || strings.Contains(r.text[t.end:r.at(k+1).start], "\n") {
			return false
		}
		if conditions[t.low] {
			return true
		}
		if opensSentence[r.text[t.start:t.end]] {
			return false
		}
	}
	return false
}

// opensSentence are words that begin a sentence also where its full stop was
// forgotten.
var opensSentence = map[string]bool{"The": true, "Your": true, "You": true, "This": true, "It": true, "Our": true, "We": true}

var conditions = map[string]bool{
	"if": true, "once": true, "when": true, "whenever": true, "after": true, "until": true, "unless": true, "before": true, "whether": true, "as": true, "that": true, "which": true, "who": true, "because": true, "where": true,
	"any": true, "wenn": true, "sobald": true, "nachdem": true, "falls": true, "ob": true, "si": true, "quand": true, "lorsque": true, "cuando": true, "quando": true, "se": true, "no": true, "not": true,
}

// skipped words may stand inside a commitment.
var skipped = map[string]bool{
	"already": true, "just": true, "now": true, "also": true, "personally": true, "gladly": true, "happily": true, "then": true, "immediately": true, "fully": true, "successfully": true,
	"ahead": true, "gone": true, "and": true, "able": true, "going": true, "to": true, "have": true, "hereby": true, "be": true,
}

// deeds are the verbs that commit a company, by their root.
var deeds = map[string]string{
	"approve": "approve", "approved": "approve", "approving": "approve", "authorize": "approve", "authorized": "approve", "authorise": "approve", "authorised": "approve",
	"granted": "approve", "grant": "approve", "granting": "approve",
	"refund": "refund", "refunded": "refund", "refunding": "refund", "reimburse": "refund", "reimbursed": "refund", "reimbursing": "refund",
	"waive": "waive", "waived": "waive", "waiving": "waive",
	"credit": "credit", "credited": "credit", "crediting": "credit",
	"cancel": "cancel", "cancelled": "cancel", "canceled": "cancel", "cancelling": "cancel", "canceling": "cancel",
	"issue": "issue", "issued": "issue", "issuing": "issue",
	"compensate": "compensate", "compensated": "compensate", "compensating": "compensate",
	"upgrade": "upgrade", "upgraded": "upgrade", "upgrading": "upgrade",
	"ship": "ship", "shipped": "ship", "shipping": "ship", "dispatched": "ship", "replace": "replace", "replaced": "replace", "replacing": "replace",
	"reverse": "reverse", "reversed": "reverse", "reversing": "reverse", "extend": "extend", "extended": "extend", "extending": "extend",
	"apply": "apply", "applied": "apply", "applying": "apply", "removed": "remove", "remove": "remove", "removing": "remove", "processed": "process", "processing": "process",
	"arrange": "arrange", "arranged": "arrange", "arranging": "arrange", "escalated": "escalate", "escalate": "escalate", "escalating": "escalate",
	"raised": "raise", "raise": "raise", "increased": "raise", "increase": "raise", "lowered": "lower", "reduced": "lower", "reduce": "lower", "doubled": "double", "match": "match", "matched": "match",
	"cover": "cover", "covered": "cover", "honor": "honour", "honour": "honour", "honored": "honour", "honoured": "honour", "prioritized": "expedite", "prioritised": "expedite", "erased": "remove", "erase": "remove", "forgiven": "waive", "forgive": "waive", "dropped": "waive", "lifted": "remove",
	"paid": "pay", "pay": "pay", "deduct": "deduct", "deducted": "deduct", "delete": "delete", "deleted": "delete", "unlocked": "unlock", "unlock": "unlock",
	"reinstated": "reinstate", "reinstate": "reinstate", "restored": "restore", "restore": "restore", "activated": "activate", "activate": "activate",
	"transferred": "transfer", "transfer": "transfer", "discounted": "discount", "expedited": "expedite", "expedite": "expedite", "expediting": "expedite", "resolved": "resolve", "fixed": "resolve",
}

// foreignDeeds are the same in German, French and Spanish.
var foreignDeeds = map[string]string{
	"genehmigt": "approve", "genehmige": "approve", "genehmigen": "approve", "bewilligt": "approve", "freigegeben": "approve", "erstattet": "refund", "erstatte": "refund", "erstatten": "refund", "zurückerstattet": "refund",
	"erlassen": "waive", "gutgeschrieben": "credit", "storniert": "cancel", "storniere": "cancel", "stornieren": "cancel", "gekündigt": "cancel", "ersetzt": "replace", "verlängert": "extend", "versendet": "ship", "verschickt": "ship", "entfernt": "remove", "bezahlt": "pay",
	"approuvé": "approve", "approuvée": "approve", "accordé": "approve", "accordée": "approve", "remboursé": "refund", "remboursée": "refund", "rembourserai": "refund", "rembourse": "refund", "remboursons": "refund", "annulé": "cancel", "annulée": "cancel", "annulons": "cancel", "crédité": "credit", "créditée": "credit", "remplacé": "replace", "expédié": "ship", "expédiée": "ship", "prolongé": "extend",
	"aprobado": "approve", "aprobada": "approve", "autorizado": "approve", "reembolsado": "refund", "reembolsada": "refund", "reembolsaremos": "refund", "cancelado": "cancel", "cancelada": "cancel", "abonado": "credit", "acreditado": "credit", "reemplazado": "replace", "enviado": "ship", "ampliado": "extend", "anulado": "cancel",
	"aprovado": "approve", "aprovada": "approve", "reembolsamos": "refund",
}
