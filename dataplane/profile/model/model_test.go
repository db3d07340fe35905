package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/profile/model"
	"weir/shared/workspace/profiles/scores"
)

// draw makes n persons and the probability of each.
func draw(n int, seed uint64, p func(x []float64) float64) (e model.Examples, truth []float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	e.Columns = make([][]float64, 4)
	for range n {
		x := []float64{r.NormFloat64() * 3, float64(r.IntN(10)), r.ExpFloat64() * 100, 1}
		truth = append(truth, p(x))
		e.Came = append(e.Came, r.Float64() < truth[len(truth)-1])
		if r.IntN(20) == 0 {
			x[2] = math.NaN()
		}
		for f := range x {
			e.Columns[f] = append(e.Columns[f], x[f])
		}
	}
	return e, truth
}

func TestLogisticFindsTheWeights(t *testing.T) {
	t.Parallel()
	e, _ := draw(40_000, 1, func(x []float64) float64 { return scores.Probability(-1 + 0.4*x[0] - 0.2*x[1]) })
	intercept, w := model.Logistic(e)
	for i, want := range []float64{0.4, -0.2, 0, 0} {
		if math.Abs(w[i]-want) > 0.02 {
			t.Errorf("weight %d is %v, want %v", i, w[i], want)
		}
	}
	if math.Abs(intercept+1) > 0.1 || w[3] != 0 {
		t.Errorf("the intercept is %v, and what everybody has weighs %v", intercept, w[3])
	}
}

func TestBoostedFindsWhatIsNotLinear(t *testing.T) {
	t.Parallel()
	p := func(x []float64) float64 {
		z := -1.0
		if x[0] > 1 && x[1] < 4 {
			z += 2
		}
		if x[2] < 30 {
			z -= math.Abs(x[0]) / 2
		}
		return scores.Probability(z)
	}
	e, _ := draw(20_000, 2, p)
	m := model.Boosted(e)
	if again := model.Boosted(e); !cmp.Equal(m, again) {
		t.Error("the same examples give another model")
	}
	fresh, truth := draw(20_000, 3, p)
	said, row := make([]float64, len(truth)), make([]float64, 4)
	for i := range said {
		fresh.Row(i, row)
		said[i] = m.Score(row)
	}
	bayes, auc := model.AUC(truth, fresh.Came), model.AUC(said, fresh.Came)
	if bayes-auc > 0.02 || model.Calibration(said, fresh.Came) > 0.03 {
		t.Errorf("the AUC is %.3f and the best possible %.3f, calibration %.3f", auc, bayes, model.Calibration(said, fresh.Came))
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	came := []bool{false, false, true, true}
	for _, c := range []struct {
		scores []float64
		want   float64
	}{{[]float64{1, 2, 3, 4}, 1}, {[]float64{4, 3, 2, 1}, 0}, {[]float64{1, 1, 1, 1}, 0.5}, {[]float64{1, 3, 2, 4}, 0.75}} {
		if got := model.AUC(c.scores, came); got != c.want {
			t.Errorf("AUC(%v) = %v, want %v", c.scores, got, c.want)
		}
	}
	if got := model.AUC([]float64{1, 2}, []bool{true, true}); got != 0.5 {
		t.Errorf("AUC of one kind = %v", got)
	}
	p, y := make([]float64, 1000), make([]bool, 1000)
	for i := range p {
		p[i], y[i] = 0.9, i%2 == 0
	}
	if got := model.Calibration(p, y); math.Abs(got-0.4) > 1e-9 {
		t.Errorf("the calibration of 0.9 where a half came is %v", got)
	}
}

func TestFewAndOddExamples(t *testing.T) {
	t.Parallel()
	for _, e := range []model.Examples{
		{Columns: [][]float64{{}}, Came: []bool{}}, {Columns: [][]float64{{1}}, Came: []bool{true}}, {Columns: [][]float64{{math.NaN(), math.NaN()}}, Came: []bool{true, false}},
		{Columns: [][]float64{{1e30, -1e30, 1e30, 0}}, Came: []bool{true, false, true, false}},
	} {
		intercept, w := model.Logistic(e)
		if math.IsNaN(intercept) || math.IsNaN(w[0]) {
			t.Errorf("%v gives %v, %v", e, intercept, w)
		}
		if got := model.Boosted(e).Score([]float64{math.NaN()}); math.IsNaN(got) {
			t.Errorf("%v gives %v", e, got)
		}
	}
}
