const shapes = {
  eye: "M2 12s3.6-6.5 10-6.500S22 12 22 12s-3.6 6.5-10 6.500S2 12 2 12Zm10 3a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  hidden:
    "M4 4l16 16M9.9 5.700A10 10 0 0 1 12 5.500c6.4 0 10 6.5 10 6.500a17 17 0 0 1-2.7 3.400M6.3 7.500A16.5 16.5 0 0 0 2 12s3.6 6.5 10 6.500a10 10 0 0 0 4.2-.9M9.9 9.900a3 3 0 0 0 4.2 4.2",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  check: "M5 12.500l4.5 4.500L19 7.5",
  alert: "M12 8v5m0 3.500v.1M12 3 2.5 20h19Z",
} as const;

/** A line drawing beside text that says the same; it is hidden from assistive technology. */
export function Icon({ name }: { name: keyof typeof shapes }) {
  return (
    <svg
      aria-hidden="true"
      viewBox="0 0 24 24"
      className="size-4 shrink-0"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={shapes[name]} />
    </svg>
  );
}
