package assist

import (
	"errors"
	"fmt"
	"testing"
)

func TestExplain(t *testing.T) {
	down := Wrap(errors.New("connect:\n\trefused\n\trefused"), Unavailable, "the database does not answer")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{Errorf(NotFound, "there is no conversation %q", "c"), `there is no conversation "c"`},
		{fmt.Errorf("forget: %w", Errorf(NotFound, "there is none")), "forget: there is none"},
		{errors.Join(down, nil), "the database does not answer (connect:\n\trefused)"},
		{Wrap(down, Internal, "no search"), "no search (the database does not answer (connect:\n\trefused))"},
		{errors.Join(errors.New("one"), errors.New("two")), "one\ntwo"},
	} {
		if got := Explain(tt.err); got != tt.want {
			t.Errorf("%v:\n%s\nwant\n%s", tt.err, got, tt.want)
		}
	}
}
