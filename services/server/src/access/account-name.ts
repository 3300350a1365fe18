/** Names of accounts are typed into commands, and are e-mail addresses at times. */
export const ACCOUNT_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/;
export const ACCOUNT_NAME_WORDS =
  'an account name has 1 to 100 letters, digits, ".", "_", "@", "+" and "-", and begins with a letter or digit';
