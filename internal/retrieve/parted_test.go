package retrieve

import (
	"fmt"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

// TestPartedness: pages about one thing are dense, pages about different things
// are parted, and how many there are hardly matters.
func TestPartedness(t *testing.T) {
	things := []string{"mattress", "kettle", "bicycle", "umbrella", "guitar", "sofa", "lantern", "backpack", "wallet", "carpet", "mirror", "toaster"}
	deeds := []string{"return", "repair", "exchange", "collect", "insure", "assemble", "clean", "warranty", "deliver", "cancel", "order", "pay"}
	var dense, apart []assist.Hit
	for i, thing := range things {
		h := func(title, text string) assist.Hit {
			id := fmt.Sprint(title, i)
			return assist.Hit{Title: title, Passage: assist.Passage{ID: id, DocumentID: id, Text: text}}
		}
		dense = append(dense, h("Card payment "+deeds[i], fmt.Sprintf("How do I %s my card payment?\nMy card payment is not there.\nI made a card payment.\nWhere is my card payment?", deeds[i])))
		apart = append(apart, h(thing, fmt.Sprintf("%s %s instructions. The %s needs %s.", deeds[i], thing, thing, deeds[i])))
	}
	if got := measure(apart).parted; got < 0.9 {
		t.Errorf("pages about different things: %.2f, want nearly 1 (strength %.2f)", got, newSample(apart).wrongStrength())
	}
	if got := measure(dense).parted; got > 0.1 {
		t.Errorf("pages about one thing: %.2f, want nearly 0 (strength %.2f)", got, newSample(dense).wrongStrength())
	}
	if got := measure(dense[:partedFewest]).parted; got > 0.1 {
		t.Errorf("some of the pages about one thing: %.2f, want nearly 0 (strength %.2f)", got, newSample(dense[:partedFewest]).wrongStrength())
	}
	if got := measure(nil).parted; got != 0 {
		t.Errorf("nothing: %v", got)
	}
	if got := measure(apart[:partedFewest-1]).parted; got != 0 {
		t.Errorf("too few pages to tell: %v, want 0", got)
	}
}

func BenchmarkPartedness(b *testing.B) {
	var hits []assist.Hit
	for i := range partedPages {
		text := ""
		for j := range 8 {
			text += fmt.Sprintf("You can send back item %d within %d days of delivery, in box number %d. ", (i*7)%31, j*i%17, i%13)
		}
		id := fmt.Sprint(i)
		hits = append(hits, assist.Hit{Title: "Returns of item " + id, Passage: assist.Passage{ID: id, DocumentID: id, Text: text}})
	}
	for b.Loop() {
		measure(hits)
	}
}
