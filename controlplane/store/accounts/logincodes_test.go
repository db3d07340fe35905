package accounts_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
)

// waits is a program whose codes have these hashes, and which waits for a time.
func waits(code, challenge byte, wait time.Duration) accounts.LoginCode {
	return accounts.LoginCode{
		Code: [32]byte{code}, Challenge: [32]byte{challenge}, Name: "ann@laptop", Interval: 50 * time.Second, ExpiresAt: time.Now().Add(wait),
	}
}

func TestAProgramIsLetInOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, who := s.Accounts(), user(t, s, "a@b.c")
		check(t, a.AskLogin(t.Context(), waits(1, 11, time.Hour)))
		kind(t, a.AskLogin(t.Context(), waits(2, 11, time.Hour)), fault.Conflict)
		poll := func(code byte) (accounts.LoginCode, error) { return a.PollLogin(t.Context(), [32]byte{code}) }
		if got, err := poll(1); err != nil || got.State != accounts.LoginWaiting {
			t.Fatalf("the first question: %+v, %v", got, err)
		}
		for _, want := range []time.Duration{55 * time.Second, time.Minute, time.Minute} {
			if _, err := poll(1); !errors.Is(err, accounts.ErrEarly) {
				t.Errorf("a question at once: %v", err)
			}
			if got, err := a.WaitingLogin(t.Context(), [32]byte{11}); err != nil || got.Interval != want {
				t.Errorf("the interval is %v, %v; want %v", got.Interval, err, want)
			}
		}
		check(t, a.DecideLogin(t.Context(), by, [32]byte{11}, who, accounts.ByCode, accounts.LoginAllowed))
		kind(t, a.DecideLogin(t.Context(), by, [32]byte{11}, who, accounts.ByCode, accounts.LoginRefused), fault.Missing)
		var in atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if got, err := poll(1); err == nil && got.State == accounts.LoginAllowed && got.User == who && got.Email == "a@b.c" && got.Proof == accounts.ByCode {
					in.Add(1)
				}
			})
		}
		all.Wait()
		if in.Load() != 1 {
			t.Errorf("of eight questions at once %d were let in, want 1", in.Load())
		}
		check(t, a.AskLogin(t.Context(), waits(3, 13, time.Hour)))
		check(t, a.DecideLogin(t.Context(), by, [32]byte{13}, who, "", accounts.LoginRefused))
		if got, err := poll(3); err != nil || got.State != accounts.LoginRefused {
			t.Errorf("of one that was refused: %+v, %v", got, err)
		}
		check(t, a.AskLogin(t.Context(), waits(4, 14, -time.Second)))
		_, err := poll(4)
		kind(t, err, fault.Missing)
		_, err = a.WaitingLogin(t.Context(), [32]byte{14})
		kind(t, err, fault.Missing)
		kind(t, a.DecideLogin(t.Context(), by, [32]byte{14}, who, "", accounts.LoginAllowed), fault.Missing)
	})
}
