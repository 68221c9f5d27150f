<#-- Setting up the second factor. Keycloak's own page ties its labels to no field and has an English picture text, so it is written anew; fields and names are the same. -->
<#import "template.ftl" as layout>
<#import "field.ftl" as field>
<#import "password-commons.ftl" as passwordCommons>
<@layout.registrationLayout displayRequiredFields=false displayMessage=!messagesPerField.existsError('totp','userLabel'); section>
    <#if section = "header">
        ${msg("loginTotpTitle")}
    <#elseif section = "form">
        <ol id="kc-totp-settings" class="house-steps">
            <li>
                <p>${msg("loginTotpStep1")}</p>
                <p id="kc-totp-supported-apps"><#list totp.supportedApplications as app>${msg(app)}<#sep>, </#sep></#list></p>
            </li>
            <#if mode?? && mode = "manual">
            <li>
                <p>${msg("loginTotpManualStep2")}</p>
                <p class="house-key" id="kc-totp-secret-key">${totp.totpSecretEncoded}</p>
                <p><a href="${totp.qrUrl}" id="mode-barcode">${msg("loginTotpScanBarcode")}</a></p>
                <p>${msg("nastupTotpValues", totp.policy.getAlgorithmKey(), totp.policy.digits, (totp.policy.period)!30)}</p>
            </li>
            <#else>
            <li>
                <p>${msg("loginTotpStep2")}</p>
                <img id="kc-totp-secret-qr-code" src="data:image/png;base64, ${totp.totpSecretQrCode}" alt="${msg("nastupQrCode")}">
                <p><a href="${totp.manualUrl}" id="mode-manual">${msg("loginTotpUnableToScan")}</a></p>
            </li>
            </#if>
            <li><p>${msg("loginTotpStep3")}</p></li>
        </ol>
        <form action="${url.loginAction}" class="${properties.kcFormClass!}" id="kc-totp-settings-form" method="post" novalidate="novalidate">
            <@field.input name="totp" label=msg("authenticatorCode") required=true autocomplete="one-time-code" />
            <@field.input name="userLabel" label=msg("loginTotpDeviceName") required=(totp.otpCredentials?size gte 1) />
            <input type="hidden" id="totpSecret" name="totpSecret" value="${totp.totpSecret}">
            <#if mode??><input type="hidden" id="mode" name="mode" value="${mode}"></#if>
            <div class="${properties.kcFormGroupClass!}"><@passwordCommons.logoutOtherSessions/></div>
            <div class="${properties.kcFormActionGroupClass}">
                <button class="${properties.kcButtonPrimaryClass} ${properties.kcButtonBlockClass}" type="submit" id="saveTOTPBtn">${msg("doSubmit")}</button>
                <#if isAppInitiatedAction??><button class="${properties.kcButtonSecondaryClass}" type="submit" id="cancelTOTPBtn" name="cancel-aia" value="true">${msg("doCancel")}</button></#if>
            </div>
        </form>
    </#if>
</@layout.registrationLayout>
