package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deploy = "../../deploy/"

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDeployNamesWhatIs: every variable and command that a person is told to use
// is one that the binary knows.
func TestDeployNamesWhatIs(t *testing.T) {
	var help bytes.Buffer
	known := map[string]bool{}
	for _, c := range commands() {
		known[c.name] = true
		if code := run(t.Context(), append(strings.Fields(c.name), "-h"), func(string) string { return "" }, &help, io.Discard); code != exitOK {
			t.Fatalf("%s -h: %d", c.name, code)
		}
	}
	variables := regexp.MustCompile(`ASIDE_[A-Z_]+[A-Z]`)
	for _, v := range variables.FindAllString(help.String(), -1) {
		known[v] = true
	}
	files, err := filepath.Glob(deploy + "*.md")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, deploy+"compose.yaml", deploy+"kubernetes.yaml", deploy+"Dockerfile", "../../README.md") {
		text := read(t, file)
		for _, v := range variables.FindAllString(text, -1) {
			v = strings.TrimSuffix(v, "_FILE")
			if v != "ASIDE_OIDC" && !known[v] && !strings.HasPrefix(v, "ASIDE_SERVER") {
				t.Errorf("%s: %s is no variable of the binary", file, v)
			}
		}
		for _, m := range regexp.MustCompile("`(?:docker compose exec aside )?(?:bin/)?aside ([a-z]+)").FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no command aside %s", file, m[1])
			}
		}
	}
}

// object is YAML.
type object = map[string]any

func get(v any, path ...string) any {
	for _, k := range path {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func TestKubernetes(t *testing.T) {
	kinds := map[string]object{}
	for d := yaml.NewDecoder(strings.NewReader(read(t, deploy+"kubernetes.yaml"))); ; {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[fmt.Sprint(o["kind"])] = o
	}
	labels := get(kinds["Deployment"], "spec", "template", "metadata", "labels")
	for kind, path := range map[string][]string{"Deployment": {"spec", "selector", "matchLabels"}, "Service": {"spec", "selector"}, "PodDisruptionBudget": {"spec", "selector", "matchLabels"}} {
		if got := get(kinds[kind], path...); got == nil || fmt.Sprint(got) != fmt.Sprint(labels) {
			t.Errorf("%s selects %v, the pods are %v", kind, got, labels)
		}
	}
	if get(kinds["PodDisruptionBudget"], "spec", "maxUnavailable") != 1 {
		t.Error("the disruption budget does not say how many may go")
	}
	pod := get(kinds["Deployment"], "spec", "template", "spec")
	containers, _ := get(pod, "containers").([]any)
	if len(containers) == 0 {
		t.Fatal("no containers")
	}
	c := containers[0]
	for what, ok := range map[string]bool{
		"not root":        get(pod, "securityContext", "runAsNonRoot") == true && get(pod, "securityContext", "runAsUser") == 65532,
		"read-only root":  get(c, "securityContext", "readOnlyRootFilesystem") == true,
		"no escalation":   get(c, "securityContext", "allowPrivilegeEscalation") == false,
		"no capabilities": fmt.Sprint(get(c, "securityContext", "capabilities", "drop")) == "[ALL]",
		"no API token":    get(pod, "automountServiceAccountToken") == false,
		"time to stop":    get(pod, "terminationGracePeriodSeconds") == 30,
		"a memory limit":  get(c, "resources", "limits", "memory") != nil,
	} {
		if !ok {
			t.Errorf("the pod lacks: %s", what)
		}
	}
	for probe, path := range map[string]string{"startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"} {
		if get(c, probe, "httpGet", "path") != path || get(c, probe, "httpGet", "port") != "http" {
			t.Errorf("%s asks %v", probe, get(c, probe))
		}
	}
}

func TestCompose(t *testing.T) {
	var o object
	if err := yaml.Unmarshal([]byte(read(t, deploy+"compose.yaml")), &o); err != nil {
		t.Fatal(err)
	}
	aside := get(o, "services", "aside")
	if get(aside, "read_only") != true || fmt.Sprint(get(aside, "cap_drop")) != "[ALL]" || fmt.Sprint(get(aside, "security_opt")) != "[no-new-privileges:true]" {
		t.Errorf("aside runs with too much: %v", aside)
	}
	if got := fmt.Sprint(get(aside, "healthcheck", "test")); got != "[CMD aside ready]" {
		t.Errorf("the health check is %s", got)
	}
	secrets, _ := get(o, "secrets").(object)
	for name := range secrets {
		if !strings.Contains(read(t, deploy+"README.md"), "secrets/"+name) {
			t.Errorf("README.md does not say how to make the secret %s", name)
		}
	}
}

func TestDockerfile(t *testing.T) {
	text := read(t, deploy+"Dockerfile")
	last := text[strings.LastIndex(text, "\nFROM "):]
	for _, want := range []string{"FROM scratch\n", "\nUSER 65532:65532\n", "ca-certificates.crt", `CMD ["aside", "ready"]`, `ENTRYPOINT ["aside"]`, `CMD ["serve"]`} {
		if !strings.Contains(last, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
	for _, want := range []string{"CGO_ENABLED=0", "-tags=timetzdata", "-trimpath"} {
		if !strings.Contains(text, want) {
			t.Errorf("the build lacks %s: nothing but the binary is in the image", want)
		}
	}
}

func TestReady(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		code   int
		words  string
	}{
		"ready":     {200, `{"ready":true,"parts":[{"name":"database","ok":true}]}`, exitOK, ""},
		"not ready": {503, `{"ready":false,"parts":[{"name":"database","ok":false,"detail":"gone"}]}`, exitFailed, "cannot serve"},
		"another":   {200, `<html>`, exitFailed, "is not Aside"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}
		}))
		var out, errw bytes.Buffer
		code := run(t.Context(), []string{"ready", "--listen", strings.Replace(s.Listener.Addr().String(), "127.0.0.1", "0.0.0.0", 1)}, func(string) string { return "" }, &out, &errw)
		s.Close()
		if code != tc.code || !strings.Contains(errw.String(), tc.words) {
			t.Errorf("%s: %d %s %s", name, code, &out, &errw)
		}
	}
	if code := run(t.Context(), []string{"ready", "--listen", "127.0.0.1:1"}, func(string) string { return "" }, io.Discard, io.Discard); code != exitFailed {
		t.Errorf("nobody there: %d", code)
	}
}
