// Numbers and times as people read them.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const two = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const small = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'medium' });

export const count = (value: number): string => whole.format(value);
export const decimal = (value: number): string => (Math.abs(value) < 1 ? small : two).format(value);
export const share = (value: number): string => percent.format(value);
export const time = (milliseconds: number): string => moment.format(milliseconds);

/** Bytes in the unit that makes them short. */
export function size(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${two.format(bytes / 1000 ** power)} ${units[power]}`;
}

/** A text of at most so many letters, its end left out if it is longer. */
export function shortened(text: string, most: number): string {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : text;
}
