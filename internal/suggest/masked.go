package suggest

import (
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/privacy"
)

// masked gives the moment as models and vectors may see it: personal secrets in
// turns and in the instruction are placeholders. The mask brings them back, for
// the agent only.
func masked(m assist.Moment) (assist.Moment, *privacy.Mask) {
	mask := &privacy.Mask{}
	turns := make([]assist.Turn, len(m.Turns))
	for i, t := range m.Turns {
		t.Text = mask.Hide(t.Text)
		t.Name = mask.Hide(t.Name)
		if t.Action != nil {
			a := *t.Action
			a.Values = make([]string, len(t.Action.Values))
			for k, v := range t.Action.Values {
				a.Values[k] = mask.Hide(v)
			}
			t.Action = &a
		}
		turns[i] = t
	}
	m.Turns = turns
	m.Instruction = mask.Hide(m.Instruction)
	return m, mask
}

// restored puts the secrets back into what the model wrote.
func (r reply) restored(mask *privacy.Mask) reply {
	if mask.Empty() {
		return r
	}
	back := mask.Restore
	r.Abstain, r.Asks, r.Anticipates = back(r.Abstain), back(r.Asks), back(r.Anticipates)
	for i := range r.Sentences {
		r.Sentences[i].Text = back(r.Sentences[i].Text)
	}
	for i := range r.NextSteps {
		r.NextSteps[i].Text = back(r.NextSteps[i].Text)
	}
	for i := range r.Options {
		o := &r.Options[i]
		o.Title, o.Detail, o.Cost, o.Authority = back(o.Title), back(o.Detail), back(o.Cost), back(o.Authority)
	}
	return r
}
