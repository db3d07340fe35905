package heap

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
	"modernc.org/quickjs"
)

// defaults are the functions by which a new runtime gets memory.
//
//go:linkname defaults modernc.org/libquickjs._def_malloc_funcs
var defaults lib.TJSMallocFunctions

// making is held while a VM is made; next is then its heap.
var (
	making sync.Mutex
	next   *Heap
)

// New makes a VM on a heap of its own. Functions do not know their source text.
// Close closes both. Nothing else in the process may make VMs: one that is made
// meanwhile would be on the same heap.
func New() (*Heap, error) {
	making.Lock()
	defer making.Unlock()
	h := &Heap{}
	before := defaults
	defaults = lib.TJSMallocFunctions{Fjs_malloc: address(mallocate), Fjs_free: address(release), Fjs_realloc: address(reallocate), Fjs_malloc_usable_size: address(usable)}
	next = h
	vm, err := quickjs.NewVM()
	defaults, next = before, nil
	if err != nil {
		h.unmap()
		return nil, err
	}
	h.VM = vm
	context := reflect.ValueOf(vm).Elem().FieldByName("cContext")
	if !context.IsValid() || context.Kind() != reflect.Uintptr || !h.holds(uintptr(context.Uint())) {
		h.Close()
		return nil, errors.New("the engine keeps its context where it cannot be found")
	}
	h.Context = uintptr(context.Uint())
	runtime := (*lib.TJSRuntime)(unsafe.Add(nil, (*lib.TJSContext)(unsafe.Add(nil, h.Context)).Frt))
	runtime.Fstrip_flags = lib.MJS_STRIP_SOURCE // a function would hold its text, and those of all in it
	return h, nil
}

// Save keeps the state of the VM, which runs no code now. False: there is no memory
// for that, and the state saved before is the one that is kept.
func (h *Heap) Save() bool { return h.save() }

// Restore brings the VM, which runs no code now, to the state that Save kept. Only
// the sequence of Math.random goes on elsewhere.
func (h *Heap) Restore() {
	h.restore()
	(*lib.TJSContext)(unsafe.Add(nil, h.Context)).Frandom_state = rand.Uint64() | 1
}

// Close frees the VM and its memory.
func (h *Heap) Close() {
	if h.VM != nil {
		_ = h.VM.Close()
	}
	h.unmap()
}

// address is a function as C code has it. f is a function of a package.
func address(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// mallocate is js_malloc of a JSMallocFunctions. The first block of a runtime is
// asked for with a state that does not know its heap yet.
func mallocate(_ *libc.TLS, state uintptr, size lib.Tsize_t) uintptr {
	s := (*lib.TJSMallocState)(unsafe.Add(nil, state))
	if s.Fopaque == 0 {
		s.Fopaque = uintptr(unsafe.Pointer(next))
	}
	if s.Fmalloc_size+size > s.Fmalloc_limit || size > maxBlock {
		return 0
	}
	p := of(s).block(uintptr(size))
	if p != 0 {
		s.Fmalloc_count++
		s.Fmalloc_size += lib.Tsize_t(length(p))
	}
	return p
}

// release is js_free.
func release(_ *libc.TLS, state, p uintptr) {
	if p == 0 {
		return
	}
	s := (*lib.TJSMallocState)(unsafe.Add(nil, state))
	s.Fmalloc_count--
	s.Fmalloc_size -= lib.Tsize_t(length(p))
	of(s).put(p)
}

// reallocate is js_realloc.
func reallocate(tls *libc.TLS, state, p uintptr, size lib.Tsize_t) uintptr {
	switch {
	case p == 0 && size == 0:
		return 0
	case p == 0:
		return mallocate(tls, state, size)
	case size == 0:
		release(tls, state, p)
		return 0
	}
	old := length(p)
	if fits(old, uintptr(size)) {
		return p
	}
	s := (*lib.TJSMallocState)(unsafe.Add(nil, state))
	if s.Fmalloc_size+size-lib.Tsize_t(old) > s.Fmalloc_limit || size > maxBlock {
		return 0
	}
	to := of(s).block(uintptr(size))
	if to == 0 {
		return 0
	}
	n := min(old, uintptr(size))
	copy(unsafe.Slice((*byte)(unsafe.Add(nil, to)), n), unsafe.Slice((*byte)(unsafe.Add(nil, p)), n))
	s.Fmalloc_size += lib.Tsize_t(length(to)) - lib.Tsize_t(old)
	of(s).put(p)
	return to
}

// usable is js_malloc_usable_size.
func usable(_ *libc.TLS, p uintptr) lib.Tsize_t {
	if p == 0 {
		return 0
	}
	return lib.Tsize_t(length(p))
}

func of(s *lib.TJSMallocState) *Heap { return (*Heap)(unsafe.Add(nil, s.Fopaque)) }
