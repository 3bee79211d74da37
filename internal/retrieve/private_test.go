package retrieve_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit"
)

// TestLessonsOfRealChatsHaveNoNames makes lessons of real chats whose customers'
// names and user names are known, and looks for them.
func TestLessonsOfRealChatsHaveNoNames(t *testing.T) {
	file := filepath.Join(testkit.Dir(t), "dev", "abcd", "conversations.jsonl")
	lessons, leaks := 0, map[string]int{}
	for c := range lines[struct {
		Scenario struct {
			Personal struct {
				Name     string `json:"customer_name"`
				Username string `json:"username"`
			} `json:"personal"`
		} `json:"scenario"`
		Turns []struct {
			Role, Text string
		} `json:"turns"`
	}](t, file) {
		secret := map[string]bool{}
		for _, term := range lex.Terms(c.Scenario.Personal.Name+" "+c.Scenario.Personal.Username, "en") {
			secret[term] = true
		}
		var turns []assist.Turn
		for _, turn := range c.Turns {
			role := assist.Role(turn.Role)
			if turn.Role == "action" {
				role = assist.RoleSystem
			}
			if role == assist.RoleAgent && len(turns) > 0 && turns[len(turns)-1].Role == assist.RoleCustomer {
				lessons++
				lesson := retrieve.NewLesson("c", 1, turns, nil)
				for _, term := range lesson.Terms {
					if secret[term.Text] && !lesson.Doubtful[term.Text] {
						leaks[term.Text]++
					}
				}
			}
			turns = append(turns, assist.Turn{Role: role, Text: turn.Text})
		}
	}
	n := 0
	for _, k := range leaks {
		n += k
	}
	t.Logf("%d lessons, %d with a name: %s", lessons, n, strings.Join(keys(leaks, 60), " "))
	if n*1000 > lessons {
		t.Errorf("%d of %d lessons name their customer", n, lessons)
	}
}

func keys(m map[string]int, most int) []string {
	var out []string
	for k := range m {
		if len(out) < most {
			out = append(out, k)
		}
	}
	return out
}
