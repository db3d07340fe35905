/** The product's mark and name. */
export function Mark() {
  return (
    <span className="inline-flex items-center gap-2.5 text-lg font-semibold tracking-tight">
      <svg aria-hidden="true" viewBox="0 0 32 32" className="size-7">
        <rect width="32" height="32" rx="8" className="fill-accent" />
        <path
          d="M6 11c3.4-3 6.6-3 10 0s6.6 3 10 0M6 17c3.4-3 6.6-3 10 0s6.6 3 10 0M6 23c3.4-3 6.6-3 10 0s6.6 3 10 0"
          className="fill-none stroke-on-accent"
          strokeWidth="2.5"
          strokeLinecap="round"
        />
      </svg>
      Weir
    </span>
  );
}
