// The mask `fake`: a name, phone number or address that looks real and belongs to nobody, chosen by the keyed hash of the value, so
// that one value always gets the same.
import type { KeyedHash } from './hmac.ts';
import { type PlannedMask, plannedMask, put } from './mask.ts';
import type { TextType } from './valuetype.ts';

const words = (text: string): readonly Buffer[] =>
  text.split(/\s+/).map((word) => Buffer.from(word.replaceAll('_', ' ')));

const GIVEN =
  words(`Ada Alan Alma Amir Ana Anders Anya Arlo Bea Ben Bianca Boris Carla Carmen Cem Chen Clara Cora Dana Daria David Dev
  Dina Edith Elias Elif Emil Emma Erik Esther Eva Farid Felix Fiona Frida Gita Greta Hana Hugo Ida Igor Ines Ivan Jana Jonas Julia Kai
  Karim Lara Lena Leo Lin Lucia Maja Malik Marco Mina Nadia Nils Nora Omar Oscar Petra Rosa`);

const FAMILY =
  words(`Abbott Adler Almeida Arnold Barros Becker Bell Berg Bianchi Blake Bloom Bruno Castro Chan Cole Costa Cruz Dahl
  Diaz Dixon Dunn Ekman Evans Farkas Fischer Flores Ford Fuchs Garcia Gomez Grant Haas Hale Hansen Ito Jansen Kaya Keller Khan Klein
  Kovac Lang Larsen Lopez Mann Marsh Meyer Mori Nagy Novak Okafor Olsen Park Patel Petrov Quinn Ramos Reed Rossi Sato Silva Stone Vega
  Weber`);

const STREETS =
  words(`Acacia_Avenue Alder_Lane Ash_Street Bay_Road Beech_Close Birch_Street Bridge_Road Brook_Lane Canal_Street
  Cedar_Avenue Chapel_Hill Cherry_Lane Church_Road Clover_Way Copper_Street Cypress_Drive Dale_Road Elm_Street Fern_Close Field_Lane
  Forge_Street Garden_Road Grove_Avenue Harbour_Street Hazel_Way Heath_Road Hill_Street Juniper_Lane Lake_Road Linden_Avenue Maple_Street
  Market_Street`);

const TOWNS =
  words(`Ashford_Mills Bellhaven Briarwick Castle_Vale Clearbrook Dunmore_Cross Eastmere Fairholt Glenrock Greenfold Harrowby
  Ivybridge_End Kingsmarsh Lakehurst Millbrook_Heath Northwold Oakhampton_Vale Pinecrest_Falls Queensferry_Down Redwater Rookhaven
  Silverdale_Park Stonebeck Thornfield Underhill_Green Vale_End Westering Whitcombe Willowby Windmere Wyndham_Rise Yarrowfield`);

const BLANK = 0x20;
const ZERO = 0x30;

function pick(list: readonly Buffer[], word: number): Buffer {
  return list[word % list.length] as Buffer;
}

function digits(value: number, width: number, to: Buffer, at: number): number {
  let left = value;
  for (let index = at + width - 1; index >= at; index--) {
    to[index] = (left % 10) + ZERO;
    left = Math.floor(left / 10);
  }
  return at + width;
}

/** The longest of each list together stay below this. */
const LONGEST = 64;
const made = Buffer.alloc(LONGEST);

function makeName(hash: KeyedHash): number {
  let out = put(pick(GIVEN, hash.word(0)), made, 0);
  made[out++] = BLANK;
  out = put(pick(FAMILY, hash.word(1)), made, out);
  return out;
}

const COUNTRY = Buffer.from('+1 ');
const FICTION = Buffer.from(' 555 01');

/** 555-0100 to 555-0199 are kept for fiction in every area code of North America. */
function makePhone(hash: KeyedHash): number {
  let out = put(COUNTRY, made, 0);
  out = digits(200 + (hash.word(0) % 800), 3, made, out);
  out = put(FICTION, made, out);
  return digits(hash.word(1) % 100, 2, made, out);
}

function makeAddress(hash: KeyedHash): number {
  const house = 1 + (hash.word(0) % 199);
  let out = digits(house, house < 10 ? 1 : house < 100 ? 2 : 3, made, 0);
  made[out++] = BLANK;
  out = put(pick(STREETS, hash.word(1)), made, out);
  made[out++] = 0x2c;
  made[out++] = BLANK;
  return put(pick(TOWNS, hash.word(2)), made, out);
}

const makers = { name: makeName, phone: makePhone, address: makeAddress };

/** `fake` on text, cut where the type has no room for it. */
export function fakeMask(of: 'name' | 'phone' | 'address', hash: KeyedHash, type: TextType): PlannedMask {
  const make = makers[of];
  const most = type.limit ?? LONGEST;
  const width = type.padded && type.limit !== undefined ? type.limit : 0;
  return plannedMask(0, Math.max(LONGEST, width), (from, start, end, to, at) => {
    let last = end;
    if (type.padded) while (last > start && from[last - 1] === BLANK) last--;
    hash.update(from, start, last);
    const length = Math.min(make(hash), most);
    for (let index = 0; index < length; index++) to[at + index] = made[index] as number;
    let out = at + length;
    while (out < at + width) to[out++] = BLANK;
    return out;
  });
}
