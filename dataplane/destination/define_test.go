package destination_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/shared/fault"
	"weir/shared/secret"
)

const spec = `
family: destination
name: made
title: Made up
doc: For tests.
fields:
  - {name: host, type: string, title: Host, required: true}
  - {name: ordered, type: boolean, title: Ordered, default: false}
  - {name: timeout, type: duration, title: Timeout, default: 5s}
sentTo: [host]
secrets:
  - {name: key, type: string, title: Key, required: true, min: 3}
`

type settings struct {
	Host string `json:"host"`
	Key  secret.String
}

func (s *settings) SetSecrets(m map[string]secret.String) { s.Key = m["key"] }

func TestDefineChecksFillsAndOpens(t *testing.T) {
	t.Parallel()
	kind := destination.Define([]byte(spec), func(s settings) (destination.Destination, error) {
		if s.Host != "h" || s.Key.Reveal() != "abc" {
			t.Errorf("built from %+v", s)
		}
		return plain{}, nil
	})()
	o, err := kind.Open([]byte(`{"host":"h"}`), map[string]secret.String{"key": secret.NewString("abc")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(destination.Limits{Ordered: false, Concurrency: 16, BatchSize: 1, Timeout: 5 * time.Second}, o.Limits); diff != "" {
		t.Errorf("limits: -want +got\n%s", diff)
	}
	_, err = kind.Open([]byte(`{"hots":"h"}`), map[string]secret.String{"key": secret.NewString("a")})
	var got []string
	for _, p := range fault.ProblemsOf(err) {
		got = append(got, p.Path+" "+p.Code)
	}
	if diff := cmp.Diff([]string{"settings.host required", "settings.hots unknown_field", "secrets.key too_small"}, got); diff != "" {
		t.Errorf("problems: -want +got\n%s", diff)
	}
}

func TestDefineGivesErrorsOfBuildAPath(t *testing.T) {
	t.Parallel()
	kind := destination.Define([]byte(spec), func(settings) (destination.Destination, error) { return nil, context.Canceled })()
	_, err := kind.Open([]byte(`{"host":"h"}`), map[string]secret.String{"key": secret.NewString("abc")})
	if fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 || strings.Contains(err.Error(), "canceled") {
		t.Errorf("Open = %v, want one problem in our own words", err)
	}
}
