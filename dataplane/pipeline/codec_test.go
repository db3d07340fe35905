package pipeline_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weir/dataplane/pipeline"
	"weir/shared/fault"
)

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	for seed := range uint64(300) {
		want, data, decode := pipeline.RandomRecord(seed)
		got, err := decode(data)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if seed < 10 { // comparing costs far more than the rest
			if d := cmp.Diff(want, got, all, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("seed %d (-written +read):\n%s", seed, d)
			}
		}
		again, err := pipeline.Recoded(data)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("seed %d: encoding again gives other bytes (%v)", seed, err)
		}
	}
}

func TestAHealthyEventCostsHardlyMoreThanItsKey(t *testing.T) {
	t.Parallel()
	const n = 500
	if got := float64(len(pipeline.HealthyFrame(n))) / n; got >= 17 {
		t.Errorf("%.2f bytes an event, want less than 17", got)
	}
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	t.Parallel()
	data := pipeline.HealthyFrame(20)
	for i := range data {
		broken := bytes.Clone(data)
		broken[i] ^= 0x41
		_, err := pipeline.Recoded(broken)
		if err == nil {
			t.Errorf("byte %d changed: read without an error", i)
		} else if want := fault.Invalid; i > 0 && fault.KindOf(err) != want {
			t.Errorf("byte %d changed: %v, want kind %v", i, err, want)
		}
		if _, err := pipeline.Recoded(data[:i]); err == nil {
			t.Errorf("cut after %d bytes: read without an error", i)
		}
	}
}

func TestANewerJournalIsNotTakenForADamagedOne(t *testing.T) {
	t.Parallel()
	data := pipeline.HealthyFrame(20)
	data[0]++
	if _, err := pipeline.Recoded(data); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a newer version: %v, want kind %v", err, fault.Unavailable)
	}
}

func FuzzRecord(f *testing.F) {
	for seed := range uint64(8) {
		_, data, _ := pipeline.RandomRecord(seed)
		f.Add(data)
		f.Add(data[5:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if again, err := pipeline.Recoded(data); err == nil {
			if _, err := pipeline.Recoded(again); err != nil {
				t.Errorf("a record that was read cannot be read again: %v", err)
			}
		} else if k := fault.KindOf(err); k != fault.Invalid && k != fault.Unavailable {
			t.Errorf("kind %v of %v", k, err)
		}
		memory, err := pipeline.DecodeUnchecked(data)
		if limit := 1000 + 200*len(data); memory > limit {
			t.Errorf("%d bytes of memory for %d bytes, want at most %d", memory, len(data), limit)
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("kind %v of %v", fault.KindOf(err), err)
		}
		if err := pipeline.DecodeCheckpoint(append([]byte{1}, data...)); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("kind %v of %v", fault.KindOf(err), err)
		}
	})
}
