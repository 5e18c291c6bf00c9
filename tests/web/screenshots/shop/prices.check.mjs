import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freeShipping, total } from './prices.mjs';

describe('total', () => {
  it('of an empty basket is nothing', () => assert.equal(total([]), 0));
  it('rounds each line', () => assert.equal(total([{ cents: 99, count: 3 }]), 353));
  it('takes another rate', () => assert.equal(total([{ cents: 1000, count: 1 }], 0.07), 1070));
  it('adds the lines', () => assert.equal(total([{ cents: 99, count: 1 }, { cents: 250, count: 2 }]), 713));
  it('rounds once however many lines there are', () => assert.equal(total(Array(3).fill({ cents: 99, count: 1 })), 353));
});

describe('shipping', () => {
  it('is free from 50 euros on', () => assert.equal(freeShipping([{ cents: 4202, count: 1 }]), true));
  it('costs below that', () => assert.equal(freeShipping([{ cents: 4200, count: 1 }]), false));
});
