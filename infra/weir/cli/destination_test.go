package cli_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"weir/shared/command"
)

func TestADestinationIsTriedFromItsPlane(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	s := newShell(t, f)
	s.must("apply", "-f", s.file("weir.yaml", plain))
	answer := ""
	f.streams = func(_ int, w http.ResponseWriter, r *http.Request) {
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.HasPrefix(in["destination"], "dst_") {
			t.Errorf("asked %v, %v", in, err)
		}
		send(w, answer)
	}
	for _, tc := range []struct {
		answer    string
		out, says string
	}{
		{`{"ok":true,"code":"","detail":"","tried":"request","ms":12}`, "hook: ok, it answered a request that changes nothing, in 12 ms\n", ""},
		{`{"ok":true,"code":"","detail":"","tried":"connection","ms":3}`, "hook: ok, the plane connected; the kind has no request", ""},
		{`{"ok":true,"code":"","detail":"","tried":"session","ms":3}`, "hook: ok, the plane signed in", ""},
		{`{"ok":false,"code":"sign_in_failed","detail":"It answered 401.\u001b[1m","tried":"request","ms":3}`, "", "hook cannot be used (sign_in_failed): It answered 401.\uFFFD[1m. Check its secrets"},
		{`{"ok":false,"code":"new_code","detail":"","tried":"request","ms":3}`, "", "hook cannot be used (new_code). Look into"},
	} {
		answer = tc.answer
		code, out, err := s.run("destination", "test", "hook")
		if want := map[bool]int{true: command.ExitDone, false: command.ExitFailed}[tc.says == ""]; code != want || !strings.HasPrefix(out, tc.out) || !strings.Contains(err, tc.says) {
			t.Errorf("%s: exit %d\n%s%s", tc.answer, code, out, err)
		}
	}
	answer = `{"ok":false,"code":"tls_failed","detail":"d","tried":"connection","ms":3}`
	if code, out, _ := s.run("destination", "test", "hook", "--output", "json"); code != command.ExitFailed || !strings.Contains(out, `"destination":"hook","ok":false,"code":"tls_failed","detail":"d","tried":"connection","ms":3`) {
		t.Errorf("as JSON: exit %d %s", code, out)
	}
	s.fails(command.ExitFailed, []string{"there is no destination lake; destinations are hook"}, "destination", "test", "lake")
	s.fails(command.ExitUsage, []string{"destination test"}, "destination", "test")
}
