package queuetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/queue"
	"weir/shared/fault"
)

// Kit checks that what open returns, an empty log each time, keeps the contract
// of queue.Log. The log must not be of a kind from which nothing is deleted.
func Kit(t *testing.T, open func(t *testing.T) queue.Log) {
	for _, c := range []struct {
		name string
		test func(*kit)
	}{
		{"appended records are read as they were, in order", (*kit).readsInOrder},
		{"the caller's data may change after Append", (*kit).copies},
		{"concurrent appends get numbers of their own, each caller's in order", (*kit).concurrent},
		{"a record as large as the limit goes through, a larger one is refused", (*kit).large},
		{"a key that is no subject token is refused", (*kit).keys},
		{"AppendAfter succeeds after the newest record only", (*kit).appendAfter},
		{"Read waits for more and ends with its context, without an error", (*kit).readWaits},
		{"Read yields only the records of its key", (*kit).readKey},
		{"Read goes on over records that were purged before it came to them", (*kit).readPurged},
		{"ReadTo ends at what was there", (*kit).readTo},
		{"ReadTo says so when it was ended before its time", (*kit).readToEnded},
		{"Last is the newest record that is there", (*kit).last},
		{"Purge removes what is before a number, and numbers go on", (*kit).purge},
		{"Purge with a key removes only that key's records", (*kit).purgeKey},
		{"Purge beyond the end does not move the numbers", (*kit).purgeBeyond},
		{"Delete removes one record, also twice", (*kit).delete},
		{"Keys counts the records of each key", (*kit).counts},
		{"State of an empty log", (*kit).empty},
		{"a call whose context has ended writes nothing", (*kit).ended},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c.test(&kit{T: t, ctx: ctx, log: open(t)})
		})
	}
}

type kit struct {
	*testing.T
	ctx context.Context
	log queue.Log
}

// entry is what the kit compares of a record.
type entry struct {
	Seq  uint64
	Key  string
	Data string
}

func (k *kit) append(key, data string) uint64 {
	k.Helper()
	seq, err := k.log.Append(k.ctx, key, []byte(data))
	if err != nil {
		k.Fatalf("Append(%q, %q): %v", key, data, err)
	}
	return seq
}

// take reads n records.
func (k *kit) take(seq iter.Seq2[queue.Record, error], n int) []entry {
	k.Helper()
	var got []entry
	if n == 0 {
		return nil
	}
	for r, err := range seq {
		if err != nil {
			k.Fatalf("read after %v: %v", got, err)
		}
		got = append(got, entry{r.Seq, r.Key, string(r.Data)})
		if len(got) == n {
			break
		}
	}
	return got
}

// all reads until the reader ends by itself.
func (k *kit) all(from uint64, key string) []entry {
	k.Helper()
	return k.take(k.log.ReadTo(k.ctx, from, key), -1)
}

func (k *kit) want(what string, got, want any) {
	k.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		k.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

func (k *kit) wantKind(what string, err error, want fault.Kind) {
	k.Helper()
	if err == nil || fault.KindOf(err) != want {
		k.Errorf("%s = %v, want an error of kind %v", what, err, want)
	}
}

func (k *kit) state() queue.State {
	k.Helper()
	st, err := k.log.State(k.ctx)
	if err != nil {
		k.Fatalf("State: %v", err)
	}
	return st
}

// check does what must not fail.
func (k *kit) check(what string, err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) readsInOrder() {
	before := time.Now().Add(-time.Second)
	k.append("", "one")
	k.append("dst_a", "two")
	k.append("dst-B_3", "")
	want := []entry{{1, "", "one"}, {2, "dst_a", "two"}, {3, "dst-B_3", ""}}
	k.want("Read from 0", k.take(k.log.Read(k.ctx, 0, ""), 3), want)
	k.want("Read from 1", k.take(k.log.Read(k.ctx, 1, ""), 3), want)
	k.want("Read from 3", k.take(k.log.Read(k.ctx, 3, ""), 1), want[2:])
	k.want("ReadTo from 2", k.all(2, ""), want[1:])
	for r, err := range k.log.ReadTo(k.ctx, 1, "") {
		k.check("ReadTo", err)
		if r.At.Before(before) || r.At.After(time.Now().Add(time.Second)) {
			k.Errorf("record %d is of %v, want the time of its append", r.Seq, r.At)
		}
	}
	st := k.state()
	if st.First != 1 || st.Last != 3 || st.Records != 3 || st.Bytes < 6 {
		k.Errorf("State = %+v, want 3 records from 1 to 3", st)
	}
}

func (k *kit) copies() {
	data := []byte("before")
	_, err := k.log.Append(k.ctx, "", data)
	k.check("Append", err)
	copy(data, "after!")
	k.want("ReadTo", k.all(1, ""), []entry{{1, "", "before"}})
}

func (k *kit) concurrent() {
	const callers, each = 8, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			last := uint64(0)
			for i := range each {
				seq, err := k.log.Append(k.ctx, "", fmt.Appendf(nil, "%d.%02d", c, i))
				if err != nil || seq <= last {
					k.Errorf("append %d of caller %d = %d, %v, want more than %d", i, c, seq, err, last)
					return
				}
				last = seq
			}
		})
	}
	wg.Wait()
	got := k.all(1, "")
	if len(got) != callers*each {
		k.Fatalf("read %d records, want %d", len(got), callers*each)
	}
	newest := map[string]string{}
	for i, e := range got {
		caller := e.Data[:1]
		if e.Seq != uint64(i+1) || e.Data <= newest[caller] {
			k.Errorf("record %d is %+v after %q", i+1, e, newest[caller])
		}
		newest[caller] = e.Data
	}
}

func (k *kit) large() {
	data := bytes.Repeat([]byte("0123456789abcdef"), (queue.MaxPayload-64<<10)/16)
	_, err := k.log.Append(k.ctx, "dst", data)
	k.check("Append of the largest record", err)
	_, err = k.log.Append(k.ctx, "dst", append(data, 'x'))
	k.wantKind("Append of a larger one", err, fault.Invalid)
	got := k.all(1, "dst")
	if len(got) != 1 || got[0].Data != string(data) {
		k.Errorf("read %d records, want the large one as it was", len(got))
	}
}

func (k *kit) keys() {
	for _, key := range []string{"a.b", "*", ">", "a b", "~", "ä", string(make([]byte, 200))} {
		_, err := k.log.Append(k.ctx, key, []byte("x"))
		k.wantKind(fmt.Sprintf("Append(%q)", key), err, fault.Invalid)
		for _, err = range k.log.ReadTo(k.ctx, 1, key) {
			k.wantKind(fmt.Sprintf("ReadTo(%q)", key), err, fault.Invalid)
		}
		k.wantKind(fmt.Sprintf("Purge(%q)", key), k.log.Purge(k.ctx, 1, key), fault.Invalid)
	}
	k.want("records", k.state().Records, uint64(0))
}

func (k *kit) appendAfter() {
	seq, err := k.log.AppendAfter(k.ctx, 0, "", []byte("one"))
	if err != nil || seq != 1 {
		k.Fatalf("AppendAfter(0) on an empty log = %d, %v, want 1", seq, err)
	}
	_, err = k.log.AppendAfter(k.ctx, 0, "", []byte("two"))
	k.wantKind("AppendAfter(0) after 1", err, fault.Conflict)
	_, err = k.log.AppendAfter(k.ctx, 2, "", []byte("two"))
	k.wantKind("AppendAfter(2) after 1", err, fault.Conflict)
	k.check("Purge", k.log.Purge(k.ctx, 2, ""))
	_, err = k.log.AppendAfter(k.ctx, 0, "", []byte("two"))
	k.wantKind("AppendAfter(0) on an emptied log", err, fault.Conflict)
	seq, err = k.log.AppendAfter(k.ctx, 1, "", []byte("two"))
	if err != nil || seq != 2 {
		k.Fatalf("AppendAfter(1) on a log emptied after 1 = %d, %v, want 2", seq, err)
	}
	k.want("ReadTo", k.all(1, ""), []entry{{2, "", "two"}})
}

func (k *kit) readWaits() {
	k.append("", "one")
	ctx, cancel := context.WithCancel(k.ctx)
	seen := make(chan entry)
	ended := make(chan error, 1)
	go func() {
		var last error
		for r, err := range k.log.Read(ctx, 1, "") {
			if last = err; err == nil {
				seen <- entry{r.Seq, r.Key, string(r.Data)}
			}
		}
		ended <- last
	}()
	k.want("first", <-seen, entry{1, "", "one"})
	k.append("dst", "two")
	k.want("second", <-seen, entry{2, "dst", "two"})
	k.append("", "three")
	k.want("third", <-seen, entry{3, "", "three"})
	cancel()
	if err := <-ended; err != nil {
		k.Errorf("Read ended with %v, want no error", err)
	}
}

func (k *kit) readKey() {
	for i := range 10 {
		k.append(fmt.Sprintf("k%d", i%2), fmt.Sprint(i))
	}
	k.append("", "none")
	k.want("Read of k1 from 3", k.take(k.log.Read(k.ctx, 3, "k1"), 4), []entry{{4, "k1", "3"}, {6, "k1", "5"}, {8, "k1", "7"}, {10, "k1", "9"}})
	k.want("ReadTo of k0", k.all(1, "k0"), []entry{{1, "k0", "0"}, {3, "k0", "2"}, {5, "k0", "4"}, {7, "k0", "6"}, {9, "k0", "8"}})
	k.want("ReadTo of k0 behind its last", k.all(10, "k0"), []entry(nil))
	k.want("ReadTo of another key", k.all(1, "k2"), []entry(nil))
	k.want("ReadTo of a part of a key", k.all(1, "k"), []entry(nil))
}

func (k *kit) readPurged() {
	const n = 200 // more than a reader asks for in advance
	for i := range n {
		k.append("", fmt.Sprint(i))
	}
	var seqs []uint64
	for r, err := range k.log.Read(k.ctx, 1, "") {
		k.check("Read", err)
		seqs = append(seqs, r.Seq)
		if r.Seq == 1 {
			k.check("Purge", k.log.Purge(k.ctx, n-10, ""))
		}
		if r.Seq == n {
			break
		}
	}
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] || seqs[i] >= n-9 && seqs[i-1] >= n-10 && seqs[i] != seqs[i-1]+1 {
			k.Fatalf("read %d after %d", seqs[i], seqs[i-1])
		}
	}
	if len(seqs) < 12 {
		k.Errorf("read %v, want 1 and all from %d to %d", seqs, n-10, n)
	}
}

func (k *kit) readTo() {
	k.want("ReadTo of an empty log", k.all(1, ""), []entry(nil))
	for i := range 100 {
		k.append("", fmt.Sprint(i))
	}
	k.want("ReadTo from behind the end", k.all(101, ""), []entry(nil))
	k.want("ReadTo from far behind the end", k.all(1000, ""), []entry(nil))
	k.want("number of records", len(k.all(1, "")), 100)
	k.check("Delete", k.log.Delete(k.ctx, 100))
	k.check("Delete", k.log.Delete(k.ctx, 99))
	got := k.all(90, "")
	if len(got) != 9 || got[8] != (entry{98, "", "97"}) {
		k.Errorf("ReadTo from 90 without 99 and 100 = %v, want 90 to 98", got)
	}
	n := 0
	for _, err := range k.log.ReadTo(k.ctx, 1, "") {
		k.check("ReadTo", err)
		k.append("", "later") // must not keep the reader from ending
		if n++; n > 98 {
			break
		}
	}
	k.want("records of a reader while others are added", n, 98)
	k.check("Purge", k.log.Purge(k.ctx, 1000, ""))
	k.want("ReadTo of an emptied log", k.all(1, ""), []entry(nil))
}

func (k *kit) readToEnded() {
	for i := range 3 {
		k.append("", fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(k.ctx)
	defer cancel()
	var last error
	for _, err := range k.log.ReadTo(ctx, 1, "") {
		cancel()
		last = err
	}
	k.wantKind("the end of ReadTo", last, fault.Unavailable)
}

func (k *kit) last() {
	_, err := k.log.Last(k.ctx)
	k.wantKind("Last of an empty log", err, fault.Missing)
	for i := range 3 {
		k.append(fmt.Sprintf("k%d", i), fmt.Sprint(i))
	}
	wantLast := func(want entry) {
		k.Helper()
		r, err := k.log.Last(k.ctx)
		k.check("Last", err)
		k.want("Last", entry{r.Seq, r.Key, string(r.Data)}, want)
	}
	wantLast(entry{3, "k2", "2"})
	k.check("Delete", k.log.Delete(k.ctx, 3))
	wantLast(entry{2, "k1", "1"})
	k.check("Purge", k.log.Purge(k.ctx, 10, "k1"))
	wantLast(entry{1, "k0", "0"})
	k.append("", "new")
	wantLast(entry{4, "", "new"})
	k.check("Purge", k.log.Purge(k.ctx, 5, ""))
	_, err = k.log.Last(k.ctx)
	k.wantKind("Last of an emptied log", err, fault.Missing)
}

func (k *kit) purge() {
	for i := range 5 {
		k.append("", fmt.Sprint(i))
	}
	for _, before := range []uint64{0, 1} {
		k.check("Purge", k.log.Purge(k.ctx, before, ""))
		k.want(fmt.Sprintf("records after Purge(%d)", before), k.state().Records, uint64(5))
	}
	k.check("Purge", k.log.Purge(k.ctx, 4, ""))
	k.want("ReadTo", k.all(1, ""), []entry{{4, "", "3"}, {5, "", "4"}})
	st := k.state()
	st.Bytes = 0
	k.want("State", st, queue.State{First: 4, Last: 5, Records: 2})
	k.check("Purge", k.log.Purge(k.ctx, 4, "")) // again
	k.check("Purge", k.log.Purge(k.ctx, 6, ""))
	k.want("State", k.state(), queue.State{First: 6, Last: 5})
	k.want("the next number", k.append("", "new"), uint64(6))
}

func (k *kit) purgeKey() {
	for i := range 6 {
		k.append(fmt.Sprintf("k%d", i%2), fmt.Sprint(i))
	}
	k.check("Purge", k.log.Purge(k.ctx, 0, "k0"))
	k.check("Purge", k.log.Purge(k.ctx, 1, "k0"))
	k.want("records", k.state().Records, uint64(6))
	k.check("Purge", k.log.Purge(k.ctx, 5, "k0"))
	k.want("ReadTo", k.all(1, ""), []entry{{2, "k1", "1"}, {4, "k1", "3"}, {5, "k0", "4"}, {6, "k1", "5"}})
	k.check("Purge", k.log.Purge(k.ctx, 100, "k0"))
	k.want("ReadTo of the purged key", k.all(1, "k0"), []entry(nil))
	k.want("ReadTo of the other key", k.all(1, "k1"), []entry{{2, "k1", "1"}, {4, "k1", "3"}, {6, "k1", "5"}})
}

func (k *kit) purgeBeyond() {
	k.check("Purge of an empty log", k.log.Purge(k.ctx, 50, ""))
	k.want("the first number", k.append("", "one"), uint64(1))
	k.check("Purge", k.log.Purge(k.ctx, 1<<40, ""))
	k.want("State", k.state(), queue.State{First: 2, Last: 1})
	k.want("the next number", k.append("", "two"), uint64(2))
	k.check("Purge", k.log.Purge(k.ctx, 1<<64-1, ""))
	k.want("the next number", k.append("", "three"), uint64(3))
}

func (k *kit) delete() {
	k.check("Delete in an empty log", k.log.Delete(k.ctx, 1))
	for i := range 4 {
		k.append("", fmt.Sprint(i))
	}
	for _, seq := range []uint64{2, 2, 99, 1} {
		k.check(fmt.Sprintf("Delete(%d)", seq), k.log.Delete(k.ctx, seq))
	}
	k.want("ReadTo", k.all(1, ""), []entry{{3, "", "2"}, {4, "", "3"}})
	st := k.state()
	st.Bytes = 0
	k.want("State", st, queue.State{First: 3, Last: 4, Records: 2})
	k.check("Delete", k.log.Delete(k.ctx, 4))
	k.want("the next number", k.append("", "new"), uint64(5))
	k.check("Delete of none", k.log.Delete(k.ctx))
	k.append("", "newer")
	k.check("Delete of several", k.log.Delete(k.ctx, 5, 2, 3))
	k.want("ReadTo", k.all(1, ""), []entry{{6, "", "newer"}})
}

func (k *kit) counts() {
	wantKeys := func(want map[string]uint64) {
		k.Helper()
		keys, err := k.log.Keys(k.ctx)
		k.check("Keys", err)
		k.want("Keys", keys, want)
	}
	wantKeys(map[string]uint64{})
	for _, key := range []string{"a", "b", "a", "", "a"} {
		k.append(key, "x")
	}
	wantKeys(map[string]uint64{"a": 3, "b": 1, "": 1})
	k.check("Purge", k.log.Purge(k.ctx, 4, "a"))
	k.check("Delete", k.log.Delete(k.ctx, 2))
	wantKeys(map[string]uint64{"a": 1, "": 1})
}

func (k *kit) empty() {
	k.want("State", k.state(), queue.State{First: 1})
}

func (k *kit) ended() {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.log.Append(ctx, "", []byte("x"))
	k.wantKind("Append", err, fault.Unavailable)
	_, err = k.log.State(ctx)
	k.wantKind("State", err, fault.Unavailable)
	for _, err := range k.log.Read(ctx, 1, "") {
		k.Errorf("Read yielded %v, want nothing", err)
	}
	k.want("records", k.state().Records, uint64(0))
}
