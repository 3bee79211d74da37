package main

import (
	"errors"
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	exit1 := errors.New("exit status 1")
	tests := map[string]struct {
		in     []string
		exit   error // of go test
		want   string
		failed bool
	}{
		"all pass": {
			[]string{
				`{"Action":"start","Package":"s/good"}`,
				`{"Action":"output","Package":"s/good","Test":"TestA","Output":"    a_test.go:1: quiet\n"}`,
				`{"Action":"pass","Package":"s/good","Test":"TestA"}`,
				`{"Action":"skip","Package":"s/good","Test":"TestB"}`,
				`{"Action":"output","Package":"s/good","Output":"PASS\n"}`,
				`{"Action":"output","Package":"s/good","Output":"ok  \ts/good\t0.005s\n"}`,
				`{"Action":"pass","Package":"s/good"}`,
				`{"Action":"output","Package":"s/empty","Output":"?   \ts/empty\t[no test files]\n"}`,
				`{"Action":"skip","Package":"s/empty"}`,
			},
			nil,
			"ok  \ts/good\t0.005s\n?   \ts/empty\t[no test files]\n1 passed, 0 failed, 1 skipped\n",
			false,
		},
		"a test fails": {
			[]string{
				`{"Action":"output","Package":"s/bad","Test":"TestA","Output":"    a_test.go:1: loud\n"}`,
				`{"Action":"output","Package":"s/bad","Test":"TestB","Output":"    a_test.go:2: quiet\n"}`,
				`{"Action":"fail","Package":"s/bad","Test":"TestA"}`,
				`{"Action":"pass","Package":"s/bad","Test":"TestB"}`,
				`{"Action":"output","Package":"s/bad","Output":"FAIL\ts/bad\t0.003s\n"}`,
				`{"Action":"fail","Package":"s/bad"}`,
			},
			exit1,
			"    a_test.go:1: loud\nFAIL\ts/bad\t0.003s\n1 passed, 1 failed, 0 skipped\n",
			true,
		},
		"a package does not build": {
			[]string{
				`{"ImportPath":"s/broken [s/broken.test]","Action":"build-output","Output":"# s/broken [s/broken.test]\n"}`,
				`{"ImportPath":"s/broken [s/broken.test]","Action":"build-output","Output":"a_test.go:1:61: undefined: x\n"}`,
				`{"ImportPath":"s/broken [s/broken.test]","Action":"build-fail"}`,
				`{"Action":"output","Package":"s/broken","Output":"FAIL\ts/broken [build failed]\n"}`,
				`{"Action":"fail","Package":"s/broken","FailedBuild":"s/broken [s/broken.test]"}`,
			},
			exit1,
			"# s/broken [s/broken.test]\na_test.go:1:61: undefined: x\nFAIL\ts/broken [build failed]\n0 passed, 1 failed, 0 skipped\n",
			true,
		},
		"a package exits in the middle of a test": {
			[]string{
				`{"Action":"pass","Package":"s/exit","Test":"TestA"}`,
				`{"Action":"output","Package":"s/exit","Test":"TestB","Output":"=== RUN   TestB\n"}`,
				`{"Action":"output","Package":"s/exit","Output":"FAIL\ts/exit\t0.002s\n"}`,
				`{"Action":"fail","Package":"s/exit"}`,
			},
			exit1,
			"=== RUN   TestB\nFAIL\ts/exit\t0.002s\n1 passed, 1 failed, 0 skipped\n",
			true,
		},
		"go fails before it tests": {
			[]string{"go: cannot find main module", "{not json"},
			exit1,
			"go: cannot find main module\n{not json\ngo test: exit status 1\n0 passed, 1 failed, 0 skipped\n",
			true,
		},
		"go fails though every test passes": {
			[]string{`{"Action":"pass","Package":"s/good","Test":"TestA"}`},
			exit1,
			"go test: exit status 1\n1 passed, 1 failed, 0 skipped\n",
			true,
		},
		"nothing ran": {nil, nil, "0 passed, 0 failed, 0 skipped\n", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			var in string
			if len(tt.in) > 0 {
				in = strings.Join(tt.in, "\n") + "\n"
			}
			err := summarise(strings.NewReader(in), func() error { return tt.exit }, &out)
			if out.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), tt.want)
			}
			if (err != nil) != tt.failed {
				t.Errorf("error %v, want one: %v", err, tt.failed)
			}
		})
	}
}
