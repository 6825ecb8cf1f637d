import { session, reading, output, source, column, ssn, email, noDrops, unbounded, reader, table, rule } from './test/policy/support.ts';
import { judge } from './src/policy/index.ts';
const rules = [noDrops, unbounded, ...Array.from({length: 20}, (_, i) => rule('r'+i, { verbs: ['delete'], tables: ['public.t'+i] }, 'deny'))];
const s = session({ roles: [{...reader, tables: ['public.*']}], rules, masks: [ssn, email] });
const r = reading({ outputs: ['id','name','email','ssn','a','b','c','d'].map((c) => output(source('customers.'+c))), columns: ['id','name','email','ssn'].map(c=>column('customers.'+c)), uses: [{column: column('customers.ssn'), how: 'equality', constants: 1}] });
for (let k=0;k<4;k++){ const n=200000; const t=process.hrtime.bigint(); for (let i=0;i<n;i++) judge(s, r); console.log('judge us', Number(process.hrtime.bigint()-t)/1000/n); }
