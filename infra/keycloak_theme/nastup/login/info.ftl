<#-- A page that only says something: the start of an activation, its end, a log-out. The way on is a button, not a line of text. The server asks for the phone before the password whatever the order of the list, hence the sort. -->
<#import "template.ftl" as layout>
<@layout.registrationLayout displayMessage=false; section>
    <#if section = "header">
        <#if requiredActions??>${msg("nastupActivationTitle")}<#elseif messageHeader??>${kcSanitize(msg("${messageHeader}"))?no_esc}<#else>${message.summary}</#if>
    <#elseif section = "form">
    <div id="kc-info-message">
        <#if requiredActions??>
        <p class="instruction">${msg("nastupActivationIntro")}</p>
        <ol class="house-steps pf-v5-u-mt-md">
            <#list requiredActions?sort as action><li>${kcSanitize(msg("requiredAction.${action}"))?no_esc}</li></#list>
        </ol>
        <#elseif messageHeader??>
        <p class="instruction">${message.summary}</p>
        </#if>
        <#if !skipLink??>
            <#if pageRedirectUri?has_content>
                <p class="pf-v5-u-mt-md"><a class="${properties.kcButtonPrimaryClass} ${properties.kcButtonBlockClass}" href="${pageRedirectUri}">${msg("backToApplication")}</a></p>
            <#elseif actionUri?has_content>
                <p class="pf-v5-u-mt-md"><a class="${properties.kcButtonPrimaryClass} ${properties.kcButtonBlockClass}" href="${actionUri}">${msg("proceedWithAction")}</a></p>
            <#elseif (client.baseUrl)?has_content>
                <p class="pf-v5-u-mt-md"><a class="${properties.kcButtonPrimaryClass} ${properties.kcButtonBlockClass}" href="${client.baseUrl}">${msg("backToApplication")}</a></p>
            </#if>
        </#if>
    </div>
    </#if>
</@layout.registrationLayout>
