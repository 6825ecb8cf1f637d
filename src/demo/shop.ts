// The sample shop: its schema, and rows made from a seed. Nobody in it exists: SSNs from a range that is never issued, card numbers
// below test prefixes, phone numbers kept for fiction (555-0100 to 555-0199), mail addresses at the example domains of RFC 2606.
import { type Random, random } from './random.ts';

export interface ShopSize {
  readonly seed: number;
  readonly customers: number;
}

export const defaultSize: ShopSize = { seed: 20260, customers: 100_000 };

/** Run before the rows are loaded. */
export const schema = `
create table customers (
  id integer not null,
  name text not null,
  email text not null,
  ssn text not null,
  card_number text not null,
  phone text not null,
  birth_date date not null,
  address jsonb not null,
  created_at timestamptz not null
);
create table products (
  id integer not null,
  name text not null,
  category text not null,
  price numeric(10,2) not null
);
create table orders (
  id integer not null,
  customer_id integer not null,
  status text not null,
  total numeric(10,2) not null,
  ordered_at timestamptz not null
);
create table order_items (
  order_id integer not null,
  line smallint not null,
  product_id integer not null,
  quantity smallint not null,
  unit_price numeric(10,2) not null
);
create table support_notes (
  id integer not null,
  customer_id integer not null,
  author text not null,
  body text not null,
  written_at timestamptz not null
);
create view customer_contacts as select id, name, email, phone from customers;
`;

/** Run after the rows are loaded: keys and indexes are cheaper to build at once. */
export const constraints = `
alter table customers add primary key (id);
alter table products add primary key (id);
alter table orders add primary key (id);
alter table order_items add primary key (order_id, line);
alter table support_notes add primary key (id);
alter table orders add foreign key (customer_id) references customers;
alter table order_items add foreign key (order_id) references orders;
alter table order_items add foreign key (product_id) references products;
alter table support_notes add foreign key (customer_id) references customers;
create index on orders (customer_id);
create index on support_notes (customer_id);
create index on customers (email);
analyze;
`;

export interface ShopTable {
  readonly name: string;
  /** How many rows `rows` will give. */
  readonly count: number;
  /** Lines of COPY's text format, in the order of the table's columns. */
  rows(): Iterable<string>;
}

/** The shop's tables in an order that satisfies their foreign keys. */
export function shopTables({ seed, customers }: ShopSize): ShopTable[] {
  const orders = customers * 2;
  const notes = Math.ceil(customers / 4);
  return [
    { name: 'customers', count: customers, rows: () => map(customers, (id) => customerLine(customerOf(seed, id))) },
    { name: 'products', count: products.length, rows: () => map(products.length, (id) => productLine(id)) },
    { name: 'orders', count: orders, rows: () => map(orders, (id) => orderLine(orderOf(seed, id, customers))) },
    { name: 'order_items', count: itemsUpTo(orders), rows: () => itemLines(seed, orders, customers) },
    { name: 'support_notes', count: notes, rows: () => map(notes, (id) => noteLine(seed, id, customers)) },
  ];
}

function* map(count: number, line: (id: number) => string): Iterable<string> {
  for (let id = 1; id <= count; id++) yield line(id);
}

export interface Customer {
  readonly id: number;
  readonly name: string;
  readonly email: string;
  readonly ssn: string;
  readonly cardNumber: string;
  readonly phone: string;
  readonly birthDate: string;
  readonly address: string;
  readonly createdAt: string;
}

/** The same customer for the same seed and id, whatever else is made. */
export function customerOf(seed: number, id: number): Customer {
  const draw = random(seed, 1, id);
  const first = draw.pick(firstNames);
  const last = draw.pick(lastNames);
  const [city, state, zip, area] = draw.pick(cities);
  const address = JSON.stringify({
    street: `${draw.integer(1, 9899)} ${draw.pick(streets)}`,
    city,
    state,
    zip: zip + draw.digits(2),
    country: 'US',
  });
  return {
    id,
    name: `${first} ${last}`,
    email: `${plain(first)}.${plain(last)}${id}@example.${draw.pick(['com', 'org', 'net'])}`,
    // Area numbers from 900 are never issued; groups below 50 are no taxpayer numbers either.
    ssn: `9${draw.digits(2)}-${pad(draw.integer(1, 49))}-${String(draw.integer(1, 9999)).padStart(4, '0')}`,
    cardNumber: cardNumber(draw),
    phone: `+1 ${area} 555 01${draw.digits(2)}`,
    birthDate: `${draw.integer(1938, 2006)}-${pad(draw.integer(1, 12))}-${pad(draw.integer(1, 28))}`,
    address,
    createdAt: moment(draw, 2019),
  };
}

function cardNumber(draw: Random): string {
  const start = draw.pick(['400000', '424242', '555555', '601111']) + draw.digits(9);
  return start + luhnDigit(start);
}

/** The digit that makes the whole number pass the Luhn check (ISO/IEC 7812-1, annex B). */
export function luhnDigit(digits: string): string {
  let sum = 0;
  for (let at = digits.length - 1, doubled = true; at >= 0; at--, doubled = !doubled) {
    const digit = digits.charCodeAt(at) - 48;
    sum += doubled ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return String((10 - (sum % 10)) % 10);
}

interface Order {
  readonly id: number;
  readonly customer: number;
  readonly status: string;
  readonly orderedAt: string;
  readonly items: readonly { readonly product: number; readonly quantity: number; readonly cents: number }[];
}

function orderOf(seed: number, id: number, customers: number): Order {
  const draw = random(seed, 2, id);
  const customer = draw.integer(1, customers);
  const status = draw.chance(0.85) ? 'delivered' : draw.pick(['open', 'paid', 'shipped', 'returned', 'cancelled']);
  const orderedAt = moment(draw, 2023);
  const items = Array.from({ length: itemsOf(id) }, () => {
    const product = draw.integer(1, products.length);
    return { product, quantity: draw.integer(1, 4), cents: centsOf(product) };
  });
  return { id, customer, status, orderedAt, items };
}

/** One to three items an order, by its number, so that they can be counted without being made. */
function itemsOf(order: number): number {
  return 1 + (order % 3);
}

function itemsUpTo(orders: number): number {
  return orders + 3 * Math.floor(orders / 3) + (orders % 3 === 2 ? 3 : orders % 3);
}

function* itemLines(seed: number, orders: number, customers: number): Iterable<string> {
  for (let id = 1; id <= orders; id++) {
    let line = 0;
    for (const { product, quantity, cents } of orderOf(seed, id, customers).items)
      yield `${id}\t${++line}\t${product}\t${quantity}\t${money(cents)}\n`;
  }
}

function customerLine(customer: Customer): string {
  const { id, name, email, ssn, cardNumber, phone, birthDate, address, createdAt } = customer;
  return `${id}\t${name}\t${email}\t${ssn}\t${cardNumber}\t${phone}\t${birthDate}\t${address}\t${createdAt}\n`;
}

function orderLine({ id, customer, status, orderedAt, items }: Order): string {
  const total = items.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0);
  return `${id}\t${customer}\t${status}\t${money(total)}\t${orderedAt}\n`;
}

function productLine(id: number): string {
  const [name, category] = products[id - 1] ?? ['', ''];
  return `${id}\t${name}\t${category}\t${money(centsOf(id))}\n`;
}

function noteLine(seed: number, id: number, customers: number): string {
  const draw = random(seed, 3, id);
  const { id: customer, name, email, phone } = customerOf(seed, draw.integer(1, customers));
  const body = draw
    .pick(noteTexts)
    .replace('{name}', name)
    .replace('{email}', email)
    .replace('{phone}', phone)
    .replace('{order}', String(draw.integer(1, customers * 2)));
  return `${id}\t${customer}\t${draw.pick(authors)}\t${body}\t${moment(draw, 2024)}\n`;
}

function centsOf(product: number): number {
  return 499 + ((product * 7919) % 240) * 100;
}

function money(cents: number): string {
  return `${Math.floor(cents / 100)}.${pad(cents % 100)}`;
}

function moment(draw: Random, from: number): string {
  const date = `${draw.integer(from, 2025)}-${pad(draw.integer(1, 12))}-${pad(draw.integer(1, 28))}`;
  return `${date} ${pad(draw.integer(0, 23))}:${pad(draw.integer(0, 59))}:${pad(draw.integer(0, 59))}+00`;
}

function pad(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

const plainNames = new Map<string, string>();
/** A name as it stands in a mail address: no accents, no blanks. */
function plain(name: string): string {
  let known = plainNames.get(name);
  if (known === undefined) {
    known = name
      .normalize('NFD')
      .toLowerCase()
      .replace('ø', 'o')
      .replace('ł', 'l')
      .replace(/[^a-z]/g, '');
    plainNames.set(name, known);
  }
  return known;
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const firstNames = words(`
  Ada Aisha Amara Anika Anton Bea Ben Björn Bruno Carla Carlos Chen Clara Daniel Dara Diego Elif Ella Emil Enzo Eva Farid Fatima
  Felix Freya Gabriel Grace Hana Hugo Ibrahim Ida Ines Ivan Jana Jonas José Jun Kai Karim Kira Lars Layla Lena Leo Lina Łukasz
  Maja Marco María Mateo Maya Mei Mia Milan Nadia Naomi Nia Nico Nina Noah Nora Olga Omar Oscar Paula Pedro Petra Priya Rafael
  Ravi Rosa Ruth Sam Sana Sara Selin Søren Tara Theo Tom Uma Vera Victor Wanda Yara Yusuf Zoë Zofia`);

const lastNames = words(`
  Abara Adler Ahmed Almeida Andersen Bauer Becker Bianchi Boateng Brandt Castillo Chandra Chen Costa Cruz Dahl Demir Diaz Dubois
  Eriksen Farah Fischer Flores Fontaine Garcia Grau Gupta Haas Hansen Hassan Herrera Hoffman Horvat Ibarra Ito Jansen Kaya Keller
  Khan Kim Klein Kovacs Kowalski Larsen Laurent Lee Lim Lindgren Lopez Maier Marin Meyer Mensah Moreau Mori Müller Nakamura Nguyen
  Novak Nowak Okafor Olsen Ortiz Park Patel Pereira Petrov Popescu Quinn Ramos Reyes Ricci Rojas Romero Rossi Santos Sato Schmidt
  Silva Singh Sousa Suzuki Takeda Tanaka Torres Vargas Vogel Wagner Walsh Weber Yilmaz Zhang Ziegler`);

const streets = words(
  'Alder Ash Bay Birch Bridge Canal Cedar Chapel Church Elm Field Forest Garden Grove Harbor Hill Lake Linden Maple Market',
).flatMap((name) => [`${name} St`, `${name} Ave`]);

const cities: readonly (readonly [city: string, state: string, zip: string, area: string])[] = [
  ['Albany', 'NY', '122', '518'],
  ['Austin', 'TX', '787', '512'],
  ['Boise', 'ID', '837', '208'],
  ['Boston', 'MA', '021', '617'],
  ['Chicago', 'IL', '606', '312'],
  ['Dayton', 'OH', '454', '937'],
  ['Denver', 'CO', '802', '303'],
  ['Fresno', 'CA', '937', '559'],
  ['Houston', 'TX', '770', '713'],
  ['Madison', 'WI', '537', '608'],
  ['Memphis', 'TN', '381', '901'],
  ['Miami', 'FL', '331', '305'],
  ['Omaha', 'NE', '681', '402'],
  ['Portland', 'OR', '972', '503'],
  ['Reno', 'NV', '895', '775'],
  ['Seattle', 'WA', '981', '206'],
  ['Tucson', 'AZ', '857', '520'],
  ['Tulsa', 'OK', '741', '918'],
];

const products: readonly (readonly [name: string, category: string])[] = [
  ...['Kettle', 'Teapot', 'Toaster', 'Skillet', 'Grater', 'Whisk', 'Mortar', 'Scale'].map(
    (n) => [n, 'kitchen'] as const,
  ),
  ...['Tent', 'Lantern', 'Backpack', 'Hammock', 'Compass', 'Canteen', 'Rope', 'Stove'].map(
    (n) => [n, 'outdoor'] as const,
  ),
  ...['Desk lamp', 'Notebook', 'Stapler', 'Fountain pen', 'Bookend', 'Globe'].map((n) => [n, 'office'] as const),
  ...['Spade', 'Watering can', 'Seed box', 'Rake', 'Trellis', 'Gloves'].map((n) => [n, 'garden'] as const),
].flatMap(([name, category]) =>
  ['Plain', 'Classic', 'Large', 'Travel', 'Blue', 'Copper'].map(
    (kind) => [`${kind} ${name.toLowerCase()}`, category] as const,
  ),
);

const authors = ['amira', 'jo', 'kenji', 'luisa', 'tomas'];

const noteTexts = [
  'Called about order {order}. {name} asks for a replacement; reach them at {phone}.',
  'Refund for order {order} approved, receipt goes to {email}.',
  '{name} could not log in with {email}; sent a reset link.',
  'Parcel of order {order} came back, the street number was missing. {name} will confirm by phone ({phone}).',
  'Asked to be called {name} on the invoice of order {order}.',
  'Happy customer, no action. Order {order}.',
  'Card was declined twice for order {order}; {name} will try another one.',
];
