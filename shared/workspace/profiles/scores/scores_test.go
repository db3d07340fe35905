package scores_test

import (
	"encoding/json"
	"math"
	"testing"

	"weir/shared/workspace/profiles/scores"
)

func TestWeigh(t *testing.T) {
	t.Parallel()
	s := scores.Score{Model: scores.Logistic, Intercept: -1, Weights: json.RawMessage(`{"a":2,"b":-1,"c":0}`)}
	for _, one := range []struct {
		x    map[string]float64
		want float64
	}{
		{nil, 1 / (1 + math.E)}, {map[string]float64{"a": 0.5}, 0.5}, {map[string]float64{"a": math.NaN(), "b": -1, "d": 7}, 0.5},
		{map[string]float64{"b": 1e60}, 0}, {map[string]float64{"a": 1e60}, 1}, {map[string]float64{"a": 1e200, "b": -1}, 0.5}, {map[string]float64{"a": 0.5, "b": 1e-50}, 0.5},
	} {
		if got := s.Weigh(one.x); math.Abs(got-one.want) > 1e-12 {
			t.Errorf("%v has %v, want %v", one.x, got, one.want)
		}
	}
	for _, bad := range []string{``, `{}`, `null`, `[1]`, `{"a":"1"}`, `{"a":1e16}`, `{"a":1e-16}`} {
		if w, err := (scores.Score{Weights: json.RawMessage(bad)}).Weighed(); err == nil {
			t.Errorf("%s has the weights %v", bad, w)
		}
	}
}
