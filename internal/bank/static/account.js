// The account-opening page. What counts is what the server received, not what this page shows.
const { createApp, reactive, ref } = Vue;
const page = document.getElementById('app');
const choices = JSON.parse(page.dataset.choices);

const template = `
<el-form ref="form" :model="f" :rules="rules" label-width="96px" aria-label="个人开户">
 <div class="two">
  <el-form-item label="姓名" prop="name"><el-input v-model="f.name" maxlength="60" clearable placeholder="请输入姓名"/></el-form-item>
  <el-form-item label="证件类型" prop="idType"><el-select v-model="f.idType" placeholder="请选择"><el-option v-for="o in choices.idType" :key="o.Code" :label="o.Label" :value="o.Code"/></el-select></el-form-item>
  <el-form-item label="证件号码" prop="idNumber"><el-input v-model="f.idNumber" maxlength="18" placeholder="请输入证件号码" @input="v => f.idNumber = v.toUpperCase()"/></el-form-item>
  <el-form-item label="出生日期" prop="birth"><el-date-picker v-model="f.birth" type="date" value-format="YYYY-MM-DD" placeholder="请选择日期"/></el-form-item>
  <el-form-item label="性别" prop="sex"><el-radio-group v-model="f.sex"><el-radio v-for="o in choices.sex" :key="o.Code" :value="o.Code">{{o.Label}}</el-radio></el-radio-group></el-form-item>
  <el-form-item label="民族" prop="ethnicity"><el-input v-model="f.ethnicity" maxlength="20"/></el-form-item>
 </div>
 <el-form-item label="住址" prop="address"><el-input v-model="f.address" maxlength="120"/></el-form-item>
 <div class="two">
  <el-form-item label="手机号" prop="mobile"><el-input v-model="f.mobile" maxlength="11"/></el-form-item>
  <el-form-item label="职业" prop="occupation"><el-select v-model="f.occupation" placeholder="请选择"><el-option v-for="o in choices.occupation" :key="o.Code" :label="o.Label" :value="o.Code"/></el-select></el-form-item>
  <el-form-item label="产品" prop="product"><el-select v-model="f.product" placeholder="请选择"><el-option v-for="o in choices.product" :key="o.Code" :label="o.Label" :value="o.Code"/></el-select></el-form-item>
  <el-form-item label="币种" prop="currency"><el-select v-model="f.currency"><el-option v-for="o in choices.currency" :key="o.Code" :label="o.Label" :value="o.Code"/></el-select></el-form-item>
  <el-form-item label="开户机构" prop="branch"><el-select v-model="f.branch" filterable placeholder="请选择"><el-option v-for="o in choices.branch" :key="o.Code" :label="o.Label" :value="o.Code"/></el-select></el-form-item>
  <el-form-item label="签约服务"><el-checkbox v-model="f.sms" label="短信通知"/><el-checkbox v-model="f.ebank" label="电子银行"/></el-form-item>
 </div>
 <el-form-item label="备注" prop="remark"><el-input v-model="f.remark" type="textarea" :rows="2" maxlength="200"/></el-form-item>
 <el-form-item><el-button type="primary" :loading="sending" @click="ask">提交</el-button></el-form-item>
</el-form>
<el-alert v-if="problem" id="problem" type="error" :title="problem" :closable="false" show-icon/>
<el-result v-if="no" icon="success" title="开户成功"><template #sub-title>账号 <b id="account-no">{{no}}</b></template></el-result>`;

createApp({
  template,
  setup() {
    const form = ref();
    const sending = ref(false);
    const problem = ref('');
    const no = ref('');
    const f = reactive({
      name: '', idType: '', idNumber: '', birth: '', sex: '', ethnicity: '', address: '', mobile: '', occupation: '',
      product: '', currency: 'CNY', branch: '', sms: false, ebank: false, remark: '',
    });
    const needed = text => [{ required: true, message: text, trigger: 'blur' }];
    const rules = {
      name: needed('请输入姓名'), idType: needed('请选择证件类型'), idNumber: needed('请输入证件号码'), birth: needed('请选择出生日期'),
      sex: needed('请选择性别'), mobile: needed('请输入手机号'), product: needed('请选择产品'), branch: needed('请选择开户机构'),
    };

    async function send() {
      sending.value = true;
      problem.value = no.value = '';
      try {
        const body = { action: 'create', channel: 'branch', csrf: page.dataset.csrf, timestamp: Date.now(), ...f };
        const reply = await fetch('/api/accounts', {
          method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
        });
        if (reply.redirected) throw new Error('会话已失效，请重新登录');
        const answer = await reply.json();
        if (answer.code === 0) no.value = answer.data.accountNo;
        else problem.value = `${answer.msg}（${answer.code}）`;
      } catch (e) {
        problem.value = '系统异常：' + e.message;
      } finally {
        sending.value = false;
      }
    }

    const ask = () => form.value.validate(ok => {
      if (!ok) return;
      ElementPlus.ElMessageBox.confirm('确认提交开户申请？', '提示', { confirmButtonText: '确定', cancelButtonText: '取消', type: 'warning' })
        .then(send, () => {});
    });
    return { form, f, rules, choices, sending, problem, no, ask };
  },
}).use(ElementPlus, { locale: ElementPlusLocaleZhCn }).mount(page);
