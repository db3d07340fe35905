package circuit

import "time"

// Backoff returns how long to wait before attempt n, counting from 1: a random
// time in (0, min(5 min, 1 s * 2^n)], taken from seed, so that equal seeds give
// equal schedules and a thousand lanes do not knock together (full jitter).
func Backoff(n int, seed uint64) time.Duration {
	return Jitter(time.Second, 5*time.Minute, n, seed)
}

// Jitter returns a random time in (0, min(most, unit * 2^n)], taken from seed.
func Jitter(unit, most time.Duration, n int, seed uint64) time.Duration {
	window := most
	if n < 20 {
		window = min(most, unit<<max(n, 0))
	}
	// splitmix64: https://prng.di.unimi.it/splitmix64.c
	z := seed + uint64(n)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return time.Duration(z%uint64(window)) + 1
}
